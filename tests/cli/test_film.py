"""Lips and sound in the finished film, decoded again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

SHORT = "Good morning. A warm bath waits for papa."
LONG = " ".join(
    f"This is number {number}. The washing machine has finished, and far above the park a large balloon moves on."
    for number in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
)


def film(text: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """How dark the mouth is in each picture, and the sound's level at its time, both from the decoded file."""
    done = subprocess.run([sys.executable, "-m", "avatard", "say", text, "--out", str(path)], capture_output=True,
                          text=True, timeout=300, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    with av.open(str(path)) as media:
        dark, times = [], []
        for picture in media.decode(video=0):
            grey = picture.to_ndarray(format="gray")
            height, width = grey.shape
            mouth = grey[height * 11 // 20 : height * 17 // 20, width * 3 // 10 : width * 7 // 10]
            dark.append((mouth < 70).mean())
            times.append(float(picture.time or 0))
    with av.open(str(path)) as media:
        sound = [(float(piece.time or 0), piece.to_ndarray().ravel()) for piece in media.decode(audio=0)]
    begin, rate = sound[0][0], 48_000
    samples = np.concatenate([piece for _, piece in sound])
    level = []
    for time in times:
        at = int((time - begin) * rate)
        level.append(np.sqrt(np.mean(samples[max(0, at) : max(1, at + rate // 25)] ** 2)))
    return np.array(dark), np.array(level)


def peak(mouth: np.ndarray, level: np.ndarray) -> int:
    """By how many pictures the mouth comes after the sound."""
    correlations = {
        lag: np.corrcoef(mouth[max(0, lag) : len(mouth) + min(0, lag)],
                         level[max(0, -lag) : len(level) - max(0, lag)])[0, 1]
        for lag in range(-8, 9)
    }  # fmt: skip
    best = max(correlations, key=lambda lag: correlations[lag])
    assert correlations[best] > 0.3, correlations
    return best


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.long)])
def test_the_mouth_moves_with_the_sound(tmp_path: Path, seconds: int) -> None:
    mouth, level = film(SHORT if seconds == 3 else LONG, tmp_path / "film.mp4")
    assert len(mouth) / 25 > seconds * 0.8
    assert abs(peak(mouth, level)) <= 1
    if seconds == 3:
        return
    third = len(mouth) // 3
    # No drift: the last third is in step as well.
    assert abs(peak(mouth[-third:], level[-third:])) <= 1
