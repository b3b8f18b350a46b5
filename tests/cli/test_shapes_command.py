"""``avatard shapes``: the track of any WAV file; a clear word about anything else."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatard.__main__ import main

NUMBERS = ("open", "wide", "round", "teeth")


def write(path: Path, sound: np.ndarray, rate: int = 16_000, channels: int = 1, width: int = 2) -> Path:
    """Write numbers in [-1, 1]; the same in all channels."""
    whole = np.repeat(np.clip(sound * 2**31, -(2**31), 2**31 - 1).astype("<i4"), channels)
    data = whole.view(np.uint8).reshape(-1, 4)[:, 4 - width :]
    if width == 1:
        data = data ^ 0x80
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data.tobytes())
    return path


def spoken(seconds: float, rate: int = 16_000) -> np.ndarray:
    """An "ah" that comes and goes twice a second, its pitch falling."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = 135 - 60 * (time % 0.5)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    sound = np.zeros_like(time)
    for number in range(1, int(min(3600, rate / 2.2) / 135)):
        harmonic = number * pitch
        gain = pitch / harmonic
        for formant, breadth in ((730, 80), (1090, 100), (2440, 130)):
            gain = gain / abs(1 - (harmonic / formant) ** 2 + 1j * harmonic * breadth / formant**2)
        sound += gain * np.sin(number * phase)
    return 0.3 * sound / max(1e-9, np.abs(sound).max()) * np.clip(2 * np.sin(4 * np.pi * time), 0, 1)


def track(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["shapes", str(path), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(("rate", "channels", "width"), [
    (8000, 1, 2), (16_000, 1, 1), (16_000, 2, 2), (22_050, 1, 3), (44_100, 2, 2), (48_000, 1, 4), (96_000, 6, 2),
])  # fmt: skip
def test_any_rate_width_and_channels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rate: int, channels: int, width: int
) -> None:
    found = track(write(tmp_path / "a.wav", spoken(1.9, rate), rate, channels, width), capsys)
    assert found["fps"] == 25 and list(found) == ["fps", *NUMBERS]
    assert [len(found[name]) for name in NUMBERS] == [48] * 4
    assert all(0 <= value <= 1 for name in NUMBERS for value in found[name])
    assert max(found["open"]) > 0.4 and min(found["open"][5:]) < 0.1


def test_silence_is_shut_and_clipping_does_no_harm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = track(write(tmp_path / "a.wav", np.zeros(16_000)), capsys)
    assert found == {"fps": 25, "open": [0] * 25, "wide": [0.5] * 25, "round": [0] * 25, "teeth": [0] * 25}
    found = track(write(tmp_path / "b.wav", 40 * spoken(1.0)), capsys)
    assert len(found["open"]) == 25 and max(found["open"]) > 0.3


def test_the_shortest_and_the_longest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(track(write(tmp_path / "a.wav", spoken(0.05)), capsys)["open"]) == 2
    assert len(track(write(tmp_path / "b.wav", np.ones(1)), capsys)["open"]) == 1
    long = np.tile(np.concatenate([spoken(3), np.zeros(16_000)]), 150)
    found = track(write(tmp_path / "c.wav", long), capsys)
    assert len(found["open"]) == 15_000
    opened = np.array(found["open"]).reshape(150, 100)
    assert np.abs(opened[1:] - opened[1]).max() < 0.15
    assert opened[:, 85:95].max() == 0


def test_without_json_it_is_a_picture(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", spoken(4))
    for encoding, bar in (("utf-8", "▄"), ("ascii", ":")):
        done = subprocess.run(
            [sys.executable, "-m", "avatard", "shapes", str(path)], capture_output=True, timeout=60, check=False,
            env={"PYTHONIOENCODING": encoding, "COLUMNS": "100", "PYTHONPATH": ":".join(sys.path)},
        )  # fmt: skip
        lines = done.stdout.decode(encoding).splitlines()
        assert done.returncode == 0, done.stderr
        assert [line.split()[0] for line in lines if " s open" in line] == ["0.0", "3.0"]
        assert sum(bar in line for line in lines) >= 2
        assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(("content", "words"), [
    (None, "No such file"), (b"", "cut short"), (b"ID3\x04 not sound at all, a song perhaps", "ffmpeg"),
    (b"RIFF\x00\x01\x00\x00WAVE", "fmt chunk"),
])  # fmt: skip
def test_what_is_no_recording_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, words: str
) -> None:
    path = tmp_path / "song.wav"
    if content is not None:
        path.write_bytes(content)
    assert main(["shapes", str(path), "--json"]) == 1
    said = capsys.readouterr()
    assert said.out == "" and "song.wav" in said.err and words in said.err
    assert main(["shapes", str(tmp_path)]) == 1


def test_a_file_without_a_sample_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shapes", str(write(tmp_path / "empty.wav", np.zeros(0)))]) == 1
    assert "empty.wav" in capsys.readouterr().err
