"""``avatard faces``: a real photograph and a real film are imported; whatever is none is refused with a clear word."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from detectors import silero, yunet
from portraits import BOX, MOUTH, astronaut, photograph

from avatard.__main__ import main
from avatard.api.errors import ConfigError
from avatard.api.flow import Pixels
from avatard.face import bundle, detect, importing
from avatard.runtime.catalog import store


def run(*words: str) -> int:
    return main(["faces", *words])


def home() -> Path:
    return bundle.folders()[0]


def left_behind() -> list[str]:
    return sorted(path.name for path in home().iterdir()) if home().exists() else []


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run it; it must end with 78, one clear line, and nothing written."""
    before = left_behind()
    assert run("import", *words) == 78
    text = capsys.readouterr().err.strip()
    assert len(text.splitlines()) == 1 and "Traceback" not in text, text
    assert left_behind() == before
    return text


def film(path: Path, frames: list[Pixels], rate: float = 25.0) -> Path:
    size = (frames[0].shape[1], frames[0].shape[0])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def moved(right: int, down: int) -> Pixels:
    return np.roll(astronaut(), (down, right), (0, 1))


def test_a_photograph_is_imported_listed_and_previewed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", str(photograph(tmp_path, name="Me & You.png"))) == 0
    said = capsys.readouterr().out
    assert "me-you: found by scikit-image" in said and "--face me-you" in said
    assert left_behind() == ["me-you.face", "me-you.png"]
    face = bundle.load(home() / "me-you.face")
    assert len(face.frames) == 1 and 200 < face.size < 300
    x, y, w, h = face.boxes[0]
    lips = face.landmarks[0].lips
    assert x < lips[..., 0].min() and lips[..., 0].max() < x + w and y + h / 2 < lips[..., 1].min() < y + h
    assert run("list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows == [{"name": "me-you", "file": str(home() / "me-you.face"), "size": face.size, "frames": 1}]
    out = tmp_path / "look.png"
    assert run("preview", "me-you", "--out", str(out)) == 0
    assert cv2.imread(str(out)).shape == (512, 3 * 512, 3)


def test_what_the_landmarks_are_of_is_kept(tmp_path: Path) -> None:
    """The crop moves the landmarks along: the mouth in the bundle is the photograph's mouth."""
    target = tmp_path / "a.face"
    importing.import_face(photograph(tmp_path), target)
    face = bundle.load(target)
    middle = face.landmarks[0].lips[1:3, 10].mean(0)
    patch = cv2.getRectSubPix(face.frames[0], (21, 21), tuple(map(float, middle)))
    wanted = cv2.getRectSubPix(astronaut(), (21, 21), MOUTH)
    scale = np.corrcoef(patch.ravel(), wanted.ravel())[0, 1]
    assert scale > 0.8


def test_a_box_needs_nothing_that_finds_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setattr(detect.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delattr(cv2, "CascadeClassifier", raising=False)
    path = photograph(tmp_path)
    assert "pip install 'avatard[faces]'" in refused(capsys, str(path))
    assert run("import", str(path), "--box", ",".join(map(str, BOX))) == 0
    assert "found by --box" in capsys.readouterr().out
    assert bundle.load(home() / "astronaut.face").size > 200


def test_a_detector_that_was_added_finds_the_face(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """OpenCV's own class runs a network of YuNet's form, which sees a face where it was made to."""
    path = yunet(tmp_path / "finder.onnx", BOX)
    assert main(["models", "add", str(path), "--kind", "face-detector"]) == 0
    capsys.readouterr()
    assert run("import", str(photograph(tmp_path)), "--name", "anna") == 0
    assert "anna: found by YuNet" in capsys.readouterr().out
    assert run("import", str(photograph(tmp_path)), "--name", "same", "--box", ",".join(map(str, BOX))) == 0
    found, told = (bundle.load(home() / f"{name}.face") for name in ("anna", "same"))
    assert np.abs(found.landmarks[0].lips - told.landmarks[0].lips).max() < 1
    large = photograph(tmp_path, cv2.resize(astronaut(), (1024, 1024)), "large.png")
    yunet(path, tuple(round(n * detect.LOOK / 512) for n in BOX))  # type: ignore[arg-type]
    _, find = detect.finder(path)
    ((box, _),) = find(np.asarray(cv2.imread(str(large)), np.uint8))
    assert np.abs(np.array(box) - 2 * np.array(BOX)).max() <= 3, box
    yunet(path, (20, 20, 150, 190), (300, 40, 140, 180), (420, 400, 40, 50))
    assert [b for b, _ in detect.finder(path)[1](astronaut())] == [(20, 20, 150, 190), (300, 40, 140, 180)]
    assert detect.finder(yunet(path))[1](astronaut()) == []


@pytest.mark.parametrize("how", ["cut", "empty", "page", "another network", "changed"])
def test_a_detector_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    path = yunet(tmp_path / "finder.onnx", BOX)
    data = path.read_bytes()
    if how == "another network":
        silero(path)
    elif how != "changed":
        path.write_bytes({"cut": data[:500], "empty": b"", "page": b"<html>"}[how])
    if how == "changed":
        assert main(["models", "add", str(path), "--kind", "face-detector"]) == 0
        capsys.readouterr()
        (there,) = store.installed().values()
        there.path.write_bytes(data[:500])
        assert "the model finder is damaged" in refused(capsys, str(photograph(tmp_path)))
        assert run("import", str(tmp_path / "astronaut.png"), "--box", ",".join(map(str, BOX))) == 0
    else:
        with pytest.raises(ConfigError, match=r"finder\.onnx: OpenCV cannot use it.*avatard models pull face-detector"):
            detect.finder(path)


def test_a_film_is_followed_and_smoothed(tmp_path: Path) -> None:
    steps = [0, 4, 1, 5, 2]
    path = film(tmp_path / "me.avi", [moved(step, 0) for step in steps])
    target = tmp_path / "me.face"
    told: list[tuple[int, int]] = []
    by, _ = importing.import_face(path, target, progress=lambda done, count: told.append((done, count)))
    face = bundle.load(target)
    assert by == "scikit-image" and len(face.frames) == 5
    assert told[0] == (1, 10) and told[-1] == (10, 10) and [done for done, _ in told] == list(range(1, 11))
    across = np.array([marks.lips[..., 0].mean() for marks in face.landmarks])
    assert np.abs(np.diff(across)).max() < 3.5
    assert len({frame.shape for frame in face.frames}) == 1 and len(set(face.boxes)) > 1


def test_a_film_at_another_rate_is_taken_at_25_a_second_and_cut(tmp_path: Path) -> None:
    box = (90, 36, 41, 54)
    small = cv2.resize(astronaut(), (256, 256))
    fast, slow = film(tmp_path / "fast.avi", [small] * 24, 50), film(tmp_path / "slow.avi", [small] * 6, 12.5)
    assert [len(importing._pictures(path)) for path in (fast, slow)] == [12, 12]
    assert len(importing._pictures(film(tmp_path / "long.avi", [small] * 130))) == bundle.MOST_FRAMES
    with pytest.raises(ConfigError, match="41 x 54 pixels; at least 48"):
        importing.import_face(fast, tmp_path / "x.face", box=box)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"\xff\xd8\xff" + b"x" * 99])
def test_what_is_no_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    assert str(path) in refused(capsys, str(path))


def test_no_file_and_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such file" in refused(capsys, str(tmp_path / "none.png"))
    assert "Is a directory" in refused(capsys, str(tmp_path), "--name", "x")


def test_half_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = photograph(tmp_path)
    path.write_bytes(path.read_bytes()[:2000])
    assert "neither a picture nor a film" in refused(capsys, str(path))


def test_no_face(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wall = np.random.default_rng(1).integers(90, 120, (300, 400, 3), dtype=np.uint8)
    text = refused(capsys, str(photograph(tmp_path, wall)))
    assert "no face was found" in text and "--box" in text


def test_several_faces_need_a_box_and_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = astronaut()[:260, 90:350]
    path = photograph(tmp_path, np.concatenate([head, head[:, ::-1]], 1))
    text = refused(capsys, str(path))
    assert "2 faces were found" in text and text.count("--box") == 2
    assert run("import", str(path), *text.split("say which one: ")[1].split("   ")[1].split()) == 0


def test_too_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = refused(capsys, str(photograph(tmp_path, cv2.resize(astronaut(), (230, 230), interpolation=cv2.INTER_AREA))))
    assert "pixels wide; at least 48" in text
    assert "pixels; at least 48" in refused(capsys, str(photograph(tmp_path)), "--box", "200,100,20,20")
    assert "not within its 512 x 512 pixels" in refused(capsys, str(photograph(tmp_path)), "--box", "400,100,200,200")


def test_two_gigabytes_are_not_even_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.truncate(2_100_000_000)
    text = refused(capsys, str(path))
    assert "is 2.1 GB, at most 2 GB" in text and "ffmpeg" in text


def test_an_hour_is_too_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = film(tmp_path / "hour.avi", [np.zeros((16, 16, 3), np.uint8)] * 70, 0.1)
    assert "12 minutes long, at most 10" in refused(capsys, str(path))


def test_a_disk_that_is_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    text = refused(capsys, str(photograph(tmp_path)))
    assert "No space left on device" in text and "nothing was kept" in text


def test_a_name_is_kept_until_told_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(photograph(tmp_path))
    assert run("import", path, "--name", "anna") == 0
    kept = (home() / "anna.face").read_bytes()
    assert "there is one already; add --replace" in refused(capsys, path, "--name", "anna")
    assert (home() / "anna.face").read_bytes() == kept
    assert run("import", path, "--name", "anna", "--replace", "--mouth", "198,132,50,24") == 0
    assert (home() / "anna.face").read_bytes() != kept
    for wrong in ("../anna", "Anna B", "", "x" * 41, "ä"):
        assert "no name for a face" in refused(capsys, path, "--name", wrong)


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "-1,2,3,4", "1;2;3;4", "1.5,2,3,4"])
def test_a_box_that_is_none_is_wrong_usage(tmp_path: Path, box: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("import", "x.png", f"--box={box}")
    assert ended.value.code == 2


def test_a_broken_face_is_listed_with_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home().mkdir(parents=True)
    (home() / "broken.face").write_bytes(b"half")
    assert run("list") == 0
    assert "broken" in (said := capsys.readouterr().out) and "import it again" in said
    assert run("preview", "broken", "--out", str(tmp_path / "x.png")) == 78
    assert run("preview", "nobody", "--out", str(tmp_path / "x.png")) == 78
    assert not (tmp_path / "x.png").exists()


def test_none_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_say_with_a_face(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", str(photograph(tmp_path)), "--name", "anna") == 0
    out = tmp_path / "hello.mp4"
    sheet = tmp_path / "hello.png"
    assert main(["say", "Hello.", "--face", "anna", "--out", str(out), "--sheet", str(sheet)]) == 0
    assert cv2.imread(str(sheet)).shape[1] > 1200
    film: Any = cv2.VideoCapture(str(out))
    good, frame = film.read()
    film.release()
    assert good and frame.shape == (512, 512, 3)
    own = bundle.load(home() / "anna.face").at(512).frames[0]
    assert np.abs(frame.astype(int) - own).mean() < 12
    assert main(["say", "Hello.", "--face", "nobody", "--out", str(out)]) == 78
    assert main(["say", "Hello.", "--face", "anna"]) == 78


def test_say_with_a_configuration(tmp_path: Path) -> None:
    assert run("import", str(photograph(tmp_path)), "--name", "anna") == 0
    config = tmp_path / "a.yaml"
    config.write_text("name: other\navatar: {face: anna, render: [{platform: warp, size: 256}, drawn]}\n")
    out = tmp_path / "hello.mp4"
    assert main(["say", "Hello.", "-c", str(config), "--out", str(out)]) == 0
    film: Any = cv2.VideoCapture(str(out))
    good, frame = film.read()
    film.release()
    assert good and frame.shape == (256, 256, 3)
