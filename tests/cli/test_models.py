"""``avatard models`` on the command line: what is printed where, exit statuses, and files of the user's own."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from modelserver import gguf
from onnx import TensorProto, helper

from avatard.__main__ import main
from avatard.cli.progress import Progress, figures
from avatard.runtime.catalog import store

LICENCE = "CC-BY-NC-SA-4.0"
FORBIDS = "commercial use"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AVATARD_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def catalog(tmp_path: Path) -> list[str]:
    """A catalogue with one model, whose file lies in ``usb``."""
    data = gguf(50_000)
    usb = tmp_path / "usb"
    usb.mkdir()
    (usb / "m.gguf").write_bytes(data)
    entry = {"name": "tiny", "kind": "llm-gguf", "engine": "llama_cpp", "languages": ["en"], "size_mb": 0.05,
             "memory_mb": 1, "licence": LICENCE, "forbids": FORBIDS, "source": "https://example.org/tiny",
             "files": [{"url": "https://models.invalid/m.gguf",
                        "sha256": hashlib.sha256(data).hexdigest()}]}  # fmt: skip
    path = tmp_path / "catalog.yaml"
    path.write_text(yaml.safe_dump({"format": 1, "models": [entry]}))
    return ["--catalog", str(path)]


def run(*words: str | Path) -> int:
    return main(["models", *map(str, words)])


def refused(capsys: pytest.CaptureFixture[str], status: int, *words: str | Path) -> str:
    """It must end so, with one clear line, and nothing installed."""
    before = store.installed()
    assert run(*words) == status
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert captured.out == "" and lines and "Traceback" not in captured.err, captured
    assert store.installed() == before
    return lines[-1]


def network(path: Path) -> Path:
    """A real ONNX file."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 512]) for name in "xy"]
    weights = helper.make_tensor("w", TensorProto.FLOAT, [512], np.arange(512, dtype=np.float32))
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [values[0]], [values[1]], [weights])
    onnx.save(helper.make_model(graph), path)
    return path


def test_the_list_has_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "kind", "languages", "MB", "memory", "licence", "installed"]
    assert any(line.startswith("vosk-small-en ") and "Apache-2.0" in line and line.endswith("-") for line in lines)
    assert run("list", "--json", "--kind", "wake-openwakeword") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["kind"] for row in rows} == {"wake-openwakeword"}
    assert all("commercial use" in row["forbids"] and row["installed"] is False for row in rows)
    assert run("list", "--installed") == 0
    assert capsys.readouterr().out == ""


def test_the_licence_comes_before_the_download(
    catalog: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    said = refused(capsys, 1, "pull", "tiny", "--from", tmp_path, *catalog)
    assert "m.gguf" in said and "models.invalid" in said
    assert run("pull", "tiny", "--from", tmp_path / "usb", "--json", *catalog) == 0
    captured = capsys.readouterr()
    told: dict[str, Any] = json.loads(captured.out)
    assert told["path"] == str(home / "tiny" / "m.gguf") and told["bytes"] == 50_000 and told["licence"] == LICENCE
    assert f"licence   {LICENCE}" in captured.err and f"forbids   {FORBIDS}" in captured.err
    assert run("pull", "tiny", "--from", tmp_path / "usb", *catalog) == 0
    assert "it was there already" in capsys.readouterr().out
    assert run("list", "--installed", *catalog) == 0
    assert str(home / "tiny" / "m.gguf") in capsys.readouterr().out


def test_names_that_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean vosk-small-en" in refused(capsys, 78, "pull", "vosk-smal-en")
    assert "not offered" in refused(capsys, 78, "pull", "Wav2Lip-GAN")
    with pytest.raises(SystemExit) as ended:
        run("pull")
    assert ended.value.code == 2


def test_verify_names_what_is_damaged(
    catalog: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    assert run("verify") == 0
    assert run("pull", "tiny", "--from", tmp_path / "usb", *catalog) == 0
    assert run("add", network(tmp_path / "lips.onnx")) == 0
    assert run("verify") == 0
    path = home / "tiny" / "m.gguf"
    data = bytearray(path.read_bytes())
    data[40_000] ^= 1
    path.write_bytes(data)
    capsys.readouterr()
    assert run("verify") == 1
    text = capsys.readouterr().out
    assert str(path) in text and "avatard models pull tiny --replace" in text
    (home / "lips" / "lips.onnx").unlink()
    assert run("verify", "--json") == 1
    rows = {row["name"]: row["damaged"] for row in json.loads(capsys.readouterr().out)}
    assert len(rows["tiny"]) == 1 and "No such file" in rows["lips"][0]


def test_a_file_of_ones_own(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path) -> None:
    path = network(tmp_path / "Wav2Lip GAN.onnx")
    assert run("add", path, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["kind"], told["checksum"]) == ("Wav2Lip-GAN", "lip-sync", "yours")
    assert store.model_path("Wav2Lip-GAN", "lip-sync").read_bytes() == path.read_bytes()
    pins = json.loads((home / store.LOCK).read_text())["models"]["Wav2Lip-GAN"]
    assert pins[path.name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "add --replace" in refused(capsys, 78, "add", path)
    assert run("add", path, "--replace") == 0
    assert run("add", path, "--kind", "wake-openwakeword", "--name", "hey_house") == 0
    assert store.installed()["hey_house"].kind == "wake-openwakeword"


def test_each_kind_is_told_by_its_bytes(tmp_path: Path) -> None:
    files = {"a.gguf": gguf(100), "b.bin": b"lmgg" + bytes(100), "c.tflite": b"\x1c\0\0\0TFL3" + bytes(100)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert run("add", tmp_path / name) == 0
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("top/am/final.mdl", b"network")
    assert run("add", tmp_path / "e.zip") == 0
    voice = network(tmp_path / "f.onnx")
    Path(f"{voice}.json").write_text('{"audio": {"sample_rate": 22050}}')
    assert run("add", voice) == 0
    there = store.installed()
    assert {name: model.kind for name, model in there.items()} == {
        "a": "llm-gguf", "b": "stt-whisper", "c": "wake-openwakeword", "e": "stt-vosk",
        "f": "tts-piper",
    }  # fmt: skip
    assert sorted(there["f"].files) == ["f.onnx", "f.onnx.json"]
    assert (store.model_path("e", "stt-vosk") / "am" / "final.mdl").read_bytes() == b"network"
    assert run("verify") == 0


def test_what_is_no_model_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    whole = network(tmp_path / "whole.onnx").read_bytes()
    with zipfile.ZipFile(tmp_path / "torch.zip", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
    with zipfile.ZipFile(tmp_path / "escape.zip", "w") as archive:
        archive.writestr("../escaped", b"x")
    files = {
        "cut.onnx": whole[:-10], "renamed.gguf": whole, "random.onnx": bytes(range(256)) * 8, "empty.onnx": b"",
        "other.onnx": b"\x08\x09",
        "page.gguf": b"<html>Log in</html>", "short.gguf": b"GGUF\x03\0", "silly.gguf": b"GGUF" + b"\xff" * 60,
        "w.pth": b"\x80\x02}q\x00.", "text.bin": b"hello",
    }  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    for name in [*files, "torch.zip", "escape.zip", "missing.onnx", "."]:
        said = refused(capsys, 78, "add", tmp_path / name)
        assert str(tmp_path) in said, said
    assert "export it to ONNX" in refused(capsys, 78, "add", tmp_path / "torch.zip")
    assert not (tmp_path / "escaped").exists()


def test_what_does_not_fit_together(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    voice = network(tmp_path / "voice.onnx")
    assert "voice.onnx.json" in refused(capsys, 78, "add", voice, "--kind", "tts-piper")
    assert "no llm-gguf" in refused(capsys, 78, "add", voice, "--kind", "llm-gguf")
    assert "--name" in refused(capsys, 78, "add", voice, "--name", "../x")
    assert "--name" in refused(capsys, 78, "add", voice, "--name", ".new-x")
    assert "of the catalogue" in refused(capsys, 78, "add", voice, "--name", "vosk-small-en")


def test_a_folder_without_rights_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path) -> None:
    home.write_text("in the way")
    assert "AVATARD_MODELS" in refused(capsys, 1, "add", network(tmp_path / "n.onnx"))


def test_the_bar_says_how_far_how_fast_and_how_long() -> None:
    assert figures("m.gguf", 25_000_000, 100_000_000, 2_500_000) == (
        "[#####               ]  25 %  25.0/100.0 MB  2.5 MB/s  0:30 left  m.gguf"
    )
    assert figures("m", 1_000_000, None, 0) == "m  1.0 MB  0.0 MB/s"


def test_elsewhere_than_on_a_terminal_there_are_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    for done in range(1, 101):
        progress.progress("m", done, 100)
    progress.end()
    assert capsys.readouterr().err.splitlines()[-1].startswith("[####################] 100 %")
    assert progress.moved


def test_on_a_terminal_there_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress = Progress()
    progress.progress("m", 1, 100)
    progress.progress("m", 100, 100)
    progress.end()
    text = capsys.readouterr().err
    assert text.count("\r") == 2 and text.count("\n") == 1
