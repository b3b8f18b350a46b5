"""Wake word files of a user's own that are none: TensorFlow Lite itself would end the process over them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymicro_wakeword
import pyopen_wakeword
import pytest

from avatard.api.errors import ConfigError
from avatard.plugins.microwakeword.engine import MicroWakeWordEngine
from avatard.plugins.openwakeword.engine import OpenWakeWordEngine
from avatard.runtime.config import Configuration
from avatard.runtime.house import open_house

MICRO, OPEN = (
    next(Path(str(package.__file__)).parent.rglob("okay_nabu*.tflite"))
    for package in (pymicro_wakeword, pyopen_wakeword)
)


def opened(path: Path) -> OpenWakeWordEngine:
    return OpenWakeWordEngine([("", str(path), None)])


def card(folder: Path, network: Path | bytes, **changes: Any) -> Path:
    """A microWakeWord model in a folder: its JSON file, and the network beside it."""
    data = network if isinstance(network, bytes) else network.read_bytes()
    (folder / "mine.tflite").write_bytes(data)
    told = json.loads(MICRO.with_suffix(".json").read_text()) | {"model": "mine.tflite"} | changes
    (folder / "mine.json").write_text(json.dumps(told))
    return folder / "mine.json"


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_file_that_is_cut_short(tmp_path: Path, share: float) -> None:
    """It is an error, and the process is still there to tell."""
    path = tmp_path / "mine.tflite"
    path.write_bytes(OPEN.read_bytes()[: int(OPEN.stat().st_size * share)])
    with pytest.raises(ConfigError, match=r"mine\.tflite: no TFLite model, or cut short; give an openWakeWord model's"):
        opened(path)
    data = MICRO.read_bytes()[: int(MICRO.stat().st_size * share)]
    with pytest.raises(ConfigError, match=r"mine\.json: .*no TFLite model, or cut short.*give the \.json"):
        MicroWakeWordEngine([("", str(card(tmp_path, data)), None)])


@pytest.mark.parametrize("content", [b"<html>404</html>", b"GGUF" + bytes(900), b"\x1c\0\0\0TFL3" + bytes(900)])
def test_a_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.tflite"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.tflite: no TFLite model"):
        opened(path)
    with pytest.raises(ConfigError, match=r"mine\.tflite: no TFLite model"):
        MicroWakeWordEngine([("", str(card(tmp_path, content)), None)])


def test_each_others_models(tmp_path: Path) -> None:
    """They would load, and fail at every sound."""
    with pytest.raises(ConfigError, match="a TFLite model, but none on openWakeWord's embeddings"):
        opened(Path(shutil.copy(MICRO, tmp_path / "mine.tflite")))
    with pytest.raises(ConfigError, match="a TFLite model, but none on microWakeWord's features"):
        MicroWakeWordEngine([("", str(card(tmp_path, OPEN)), None)])


def test_a_whole_one_of_ones_own_is_taken(tmp_path: Path) -> None:
    assert opened(OPEN)._spare is not None
    assert MicroWakeWordEngine([("", str(card(tmp_path, MICRO)), None)])._spare is not None


def gone(path: Path) -> None:
    (path.parent / "mine.tflite").unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (gone, "there is no such file"), (Path.unlink, "No such file"),
        (lambda path: path.write_text("[]"), "list"), (lambda path: path.write_text("{half"), "double quotes"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "utf-8"),
        (lambda path: card(path.parent, MICRO, model=3), "PosixPath"),
        (lambda path: card(path.parent, MICRO, micro={}), "no 'probability_cutoff'"),
        (lambda path: card(path.parent, MICRO, micro={"probability_cutoff": "x", "sliding_window_size": 5}), "'<'"),
        (lambda path: card(path.parent, MICRO, micro={"probability_cutoff": 7, "sliding_window_size": 5}), "no sense"),
        (lambda path: card(path.parent, MICRO, micro={"probability_cutoff": 1, "sliding_window_size": 0}), "no sense"),
    ],
)
def test_a_card_that_is_none(tmp_path: Path, spoil: Callable[[Path], object], reason: str) -> None:
    path = card(tmp_path, MICRO)
    spoil(path)
    with pytest.raises(ConfigError, match=rf"mine\.json: no microWakeWord model \(.*{reason}.*give the \.json of one"):
        MicroWakeWordEngine([("", str(path), None)])


@pytest.mark.parametrize("platform", ["openwakeword", "microwakeword"])
async def test_the_daemon_says_which_file(
    tmp_path: Path, platform: str, scripted: Callable[..., Configuration]
) -> None:
    path = card(tmp_path, MICRO.read_bytes()[:9000])
    file = path if platform == "microwakeword" else tmp_path / "mine.tflite"
    settings = scripted(wake_word={"platform": platform, "phrases": [{"file": str(file)}]})
    with pytest.raises(ConfigError, match=r"mine\.tflite: no TFLite model, or cut short"):
        async with open_house(settings):
            raise AssertionError("it does not open")
