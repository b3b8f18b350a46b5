"""A finished sound, as a microphone would have given it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import LISTEN_RATE, AudioFrame, Samples

FRAME = 1024
"""Samples of a frame, as sounddevice gives them."""


def frames_of(sound: Samples, first: int = 0) -> Iterator[AudioFrame]:
    """Cut a sound of 16 kHz into whole frames, the first of which has this number; each is captured as it ends."""
    for index in range(len(sound) // FRAME):
        at = (first + index) * FRAME / LISTEN_RATE
        end = at + FRAME / LISTEN_RATE
        yield AudioFrame(sound[index * FRAME : (index + 1) * FRAME], LISTEN_RATE, at, end)


def level(sound: NDArray[np.float64]) -> float:
    """Root mean square of what is not silent."""
    loud = sound[np.abs(sound) > 30]
    return float(np.sqrt(np.mean(loud * loud))) if len(loud) else 1.0
