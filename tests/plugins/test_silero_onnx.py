"""Silero's interface in the real onnxruntime, on a network that is made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from detectors import silero, wake

from avatard.api.errors import ConfigError
from avatard.api.flow import Samples
from avatard.plugins.silero_onnx.engine import SileroOnnxEngine

LOUD, QUIET = np.full(512, 20_000, np.int16), np.zeros(512, np.int16)


def feed(engine: SileroOnnxEngine, number: int, *sounds: Samples) -> list[float]:
    return [round(engine.feed(number, sound.tobytes()), 2) for sound in sounds]


@pytest.mark.parametrize("rate", [False, True])
def test_loud_and_quiet(tmp_path: Path, rate: bool) -> None:
    engine = SileroOnnxEngine(str(silero(tmp_path / "vad.onnx", rate=rate)))
    engine.open(1)
    assert feed(engine, 1, QUIET, LOUD, LOUD, QUIET, QUIET) == [0.0, 1.0, 1.0, 0.27, 0.0]
    assert feed(engine, 1, LOUD[:200], LOUD[:200], LOUD[:112]) == [0.0, 0.0, 1.0], "pieces of any length"
    engine.end(1)
    engine.end(1)


def test_each_source_sees_its_own_context(tmp_path: Path) -> None:
    engine = SileroOnnxEngine(str(silero(tmp_path / "vad.onnx", context_only=True)))
    engine.open(1)
    engine.open(2)
    assert feed(engine, 1, LOUD, QUIET, QUIET) == [0.0, 1.0, 0.0]
    assert feed(engine, 1, LOUD) + feed(engine, 2, LOUD) + feed(engine, 1, QUIET) == [0.0, 0.0, 1.0]
    engine.open(1)
    assert feed(engine, 1, QUIET) == [0.0]


@pytest.mark.parametrize(("make", "message"), [
    (lambda path: None, r"vad\.onnx: no ONNX network, or cut short"),
    (lambda path: path.write_bytes(silero(path).read_bytes()[:300]), r"vad\.onnx: no ONNX network, or cut short"),
    (lambda path: path.write_bytes(b"TFL3"), r"vad\.onnx: no ONNX network, or cut short"),
    (lambda path: wake(path, 1.0), r"vad\.onnx: an ONNX network, but none of Silero's"),
])  # fmt: skip
def test_what_is_no_network_is_named(tmp_path: Path, make: object, message: str) -> None:
    path = tmp_path / "vad.onnx"
    make(path)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=message):
        SileroOnnxEngine(str(path))


def test_without_a_file_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.plugins.silero_onnx.engine.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"give 'model: silero_vad\.onnx', or pip install --no-deps silero-vad"):
        SileroOnnxEngine("")
