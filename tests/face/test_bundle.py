"""The face bundle: whole or not at all, and every damage is told."""

from __future__ import annotations

import errno
import json
import zipfile
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatard.api.errors import ConfigError
from avatard.face import bundle
from avatard.face.bundle import Face, find, folders, load, names, save, whole
from avatard.face.landmarks import Landmarks


def marks(shift: float = 0.0) -> Landmarks:
    rng = np.random.default_rng(1)
    shapes = ((4, 21, 2), (2, 2, 11, 2), (32, 2))
    return Landmarks(*(np.round(rng.random(s, np.float32) * 60 + shift, 2).astype(np.float32) for s in shapes))


def frames(count: int, size: int = 64) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [np.full((size, size, 3), rng.integers(20, 230, 3), np.uint8) for _ in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "anna.face"


def written(path: Path, count: int = 1) -> Face:
    save(path, frames(count), [(5, 6, 40, 50)] * count, [marks(i) for i in range(count)])
    return load(path)


def rewritten(path: Path, change: Callable[[dict[str, Any]], None], sign: bool = True) -> None:
    """Change the head of a bundle; with ``sign`` its hash is made right again."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    head = json.loads(parts[bundle.HEAD])
    change(head)
    if sign:
        head["sha256"] = bundle._digest(head)
    parts[bundle.HEAD] = json.dumps(head).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, data in parts.items():
            new.writestr(name, data)


def test_a_photograph_comes_back_as_it_was(path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    save(path, [noise], [(5, 6, 40, 50)], [marks()])
    face = load(path)
    assert face.name == "anna" and face.size == 64
    assert np.array_equal(face.frames[0], noise)
    assert face.boxes == ((5, 6, 40, 50),)
    for key in bundle.SHAPES:
        assert np.allclose(getattr(face.landmarks[0], key), getattr(marks(), key), atol=1e-4)
    assert [p.name for p in path.parent.iterdir() if p.suffix == ".face"] == ["anna.face"]


def test_it_cannot_be_changed(path: Path) -> None:
    face = written(path)
    with pytest.raises(FrozenInstanceError):
        face.name = "other"  # type: ignore[misc]


def test_a_film_goes_there_and_back(path: Path) -> None:
    face = written(path, 4)
    assert face.loop == (0, 1, 2, 3, 2, 1)
    assert all(np.abs(a.astype(int) - b).max() < 6 for a, b in zip(face.frames, frames(4), strict=True))
    assert written(path, 2).loop == (0, 1) and written(path, 1).loop == (0,)


def test_the_hash_follows_the_contents(path: Path) -> None:
    first = written(path).hash
    assert written(path).hash == first
    save(path, frames(1), [(5, 6, 41, 50)], [marks()])
    assert load(path).hash != first


def test_another_size_keeps_everything_in_its_place(path: Path) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[20:24, 40:44] = 255
    spot = Landmarks(*(np.full(shape, (41.5, 21.5), np.float32) for shape in bundle.SHAPES.values()))
    save(path, [pixels], [(40, 20, 4, 4)], [spot])
    large = load(path).at(256)
    assert large.size == 256 and large.boxes == ((160, 80, 16, 16),)
    ys, xs = np.nonzero(large.frames[0][..., 0] > 127)
    assert np.allclose(large.landmarks[0].chin, (xs.mean(), ys.mean()), atol=0.1)


def test_a_truncated_file_is_told(path: Path) -> None:
    written(path)
    data = path.read_bytes()
    for length in (0, 10, len(data) // 2, len(data) - 30):
        path.write_bytes(data[:length])
        with pytest.raises(ConfigError, match=r"anna\.face.*import"):
            load(path)


def test_every_flipped_byte_is_found_or_harmless(path: Path) -> None:
    face = written(path)
    data = path.read_bytes()
    for at in range(0, len(data), max(1, len(data) // 150)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        try:
            again = load(path)
        except ConfigError as err:
            assert "anna.face" in str(err)
        else:
            assert again.hash == face.hash and np.array_equal(again.frames[0], face.frames[0])


def test_a_picture_that_was_exchanged_is_told(path: Path) -> None:
    written(path)
    rewritten(path, lambda head: head["frames"][0].update(sha256="0" * 64))
    with pytest.raises(ConfigError, match=r"0000\.png does not match its hash"):
        load(path)


def test_a_head_that_was_edited_is_told(path: Path) -> None:
    written(path)
    rewritten(path, lambda head: head.update(boxes=[[0, 0, 9, 9]]), sign=False)
    with pytest.raises(ConfigError, match="does not match its hash"):
        load(path)


def test_a_newer_format_is_refused(path: Path) -> None:
    written(path)
    rewritten(path, lambda head: head.update(format=bundle.FORMAT + 1))
    with pytest.raises(ConfigError, match=r"format 2.*knows 1.*newer avatard"):
        load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda head: head.pop("boxes"),
        lambda head: head.update(boxes=[]),
        lambda head: head.update(boxes=[[1, 2, 3]]),
        lambda head: head.update(landmarks=[{"lips": []}]),
        lambda head: head.update(landmarks="none"),
        lambda head: head.update(frames=[]),
        lambda head: head["frames"][0].update(file="other.png"),
        lambda head: head.pop("format"),
        lambda head: head.update(format="new"),
    ],
)
def test_a_head_that_makes_no_sense_is_told(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    written(path)
    rewritten(path, change)
    with pytest.raises(ConfigError, match=r"anna\.face"):
        load(path)


def test_no_zip_no_file_no_permission(tmp_path: Path) -> None:
    other = tmp_path / "x.face"
    for content in (b"", b"hello", b"PK\x03\x04" + b"\0" * 99):
        other.write_bytes(content)
        with pytest.raises(ConfigError, match=r"x\.face"):
            load(other)
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "y.face")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_leaves_the_old_face_and_nothing_else(path: Path, number: int) -> None:
    old = written(path).hash
    with pytest.raises(ConfigError, match=r"anna\.face: cannot be written.*nothing was kept"):
        with whole(path) as part:
            part.write_bytes(b"half")
            raise OSError(number, "No space left on device")
    assert load(path).hash == old
    assert [p.name for p in path.parent.iterdir() if "xdg" not in p.name] == ["anna.face"]


def test_a_really_full_disk(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No space left"):
        with whole(tmp_path / "b.face") as part:
            part.unlink()
            part.symlink_to("/dev/full")
            with part.open("wb") as file:
                file.write(b"x" * 100_000)
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".face" or p.name.startswith(".")]


def test_an_interrupt_leaves_nothing(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), whole(path) as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    assert not [p for p in path.parent.iterdir() if p.suffix == ".face"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        save(tmp_path / "f" / "anna.face", frames(1), [(0, 0, 9, 9)], [marks()])


def test_faces_are_found_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = folders()[0]
    written(user / "anna.face")
    (user / "bert.png").write_bytes(b"")
    assert names() == {"anna": user / "anna.face"}
    assert find("anna") == user / "anna.face" == find(str(user / "anna.face"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "system"))
    written(tmp_path / "system" / "faces" / "anna.face")
    assert find("anna") == tmp_path / "system" / "faces" / "anna.face"
    with pytest.raises(ConfigError, match="no face 'carl'; there are anna; make it with"):
        find("carl")
    with pytest.raises(ConfigError, match=r"no\.face: there is no such face"):
        find(str(tmp_path / "no.face"))
