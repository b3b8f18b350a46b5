"""A user's own ONNX networks on the embeddings of the real openWakeWord."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from detectors import silero, wake

from avatard.api.errors import ConfigError
from avatard.api.flow import Samples
from avatard.plugins.openwakeword.engine import OpenWakeWordEngine
from avatard.plugins.openwakeword.network import Network

RNG = np.random.default_rng(6)
NOISE = RNG.normal(0, 8000, 48_000).astype(np.int16)
ALWAYS, NEVER = 0.0, 1e9


def woken(engine: OpenWakeWordEngine, sound: Samples = NOISE) -> list[tuple[str, float]]:
    engine.open(1)
    found = [engine.feed(1, sound[at : at + 512].tobytes(), at / 16_000) for at in range(0, len(sound), 512)]
    engine.end(1)
    return [one for one in found if one]


@pytest.mark.parametrize("frames", [5, 16, 28])
def test_a_model_of_ones_own(tmp_path: Path, frames: int) -> None:
    always = str(wake(tmp_path / "hey_house.onnx", ALWAYS, frames))
    never = str(wake(tmp_path / "hey_you.onnx", NEVER, frames))
    assert Network(always).window == frames
    assert [name for name, _ in woken(OpenWakeWordEngine([("", always, None), ("", never, None)]))] == [
        "hey_house", "hey_house"]  # fmt: skip


def test_a_model_of_ones_own_beside_another(tmp_path: Path) -> None:
    always = str(wake(tmp_path / "hey_house.onnx", ALWAYS))
    assert woken(OpenWakeWordEngine([("", always, 0.99), ("okay_nabu", "", None)]))[0] == ("hey_house", 1.0)


def test_a_verifier_must_agree(tmp_path: Path) -> None:
    always, never = str(wake(tmp_path / "hey.onnx", ALWAYS)), str(wake(tmp_path / "stranger.onnx", NEVER))
    assert woken(OpenWakeWordEngine([("", always, None)], {0: never})) == []
    assert woken(OpenWakeWordEngine([("", always, None)], {0: always})) != []
    both = OpenWakeWordEngine([("", always, None), ("", str(wake(tmp_path / "ho.onnx", ALWAYS)), None)], {0: never})
    assert {name for name, _ in woken(both)} == {"ho"}


@pytest.mark.parametrize(("name", "message"), [
    ("gone.onnx", r"gone\.onnx: no ONNX file"), ("cut.onnx", r"cut\.onnx: no ONNX network, or cut short"),
    ("vad.onnx", r"vad\.onnx: no network on openWakeWord's embeddings"),
    ("mine.pkl", r"mine\.pkl: a pickle can run anything: convert it to ONNX"),
    ("mine.tflite", r"mine\.tflite: no TFLite model, or cut short; give an openWakeWord model's \.tflite or \.onnx"),
])  # fmt: skip
def test_what_is_no_model_is_named(tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / name
    if name == "vad.onnx":
        silero(path)
    elif name != "gone.onnx":
        path.write_bytes(wake(tmp_path / "whole.onnx", ALWAYS).read_bytes()[:200])
    with pytest.raises(ConfigError, match=message):
        if name == "mine.tflite":
            OpenWakeWordEngine([("", str(path), None)])
        else:
            OpenWakeWordEngine([("okay_nabu", "", None)], {0: str(path)})
