"""What a way to a microphone gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from avatard.api.flow import Samples

FRAME = 1024
"""Samples: 64 ms; half as many wake-ups of an idle box as Silero's 32 ms would need"""

Heard = Callable[[Samples, bool], None]
"""Takes sound, mono, and whether some was lost before it; called from another thread."""
Ended = Callable[[str], None]
"""The device went away, and why; called from another thread."""


class Recorder(Protocol):
    """An open device."""

    @property
    def rate(self) -> int:
        """Hz"""

    @property
    def name(self) -> str:
        """What it is called where it was found."""

    def close(self) -> None:
        """Close it."""


def mono(sound: Samples, channel: int) -> Samples:
    """One channel (from 1) of a piece of shape (samples, channels), or for 0 the first two mixed."""
    if channel:
        return sound[:, min(channel, sound.shape[1]) - 1].copy()
    if sound.shape[1] == 1:
        return sound[:, 0].copy()
    return np.asarray(sound[:, :2].astype(np.int32).mean(axis=1).astype(np.int16))
