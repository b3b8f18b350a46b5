"""How loud a microphone's room is when it is quiet, over days: one that has become far quieter has a loose plug."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from avatard.api.flow import LISTEN_RATE, AudioFrame

MINUTE = 60.0
"""Seconds of which one level is kept."""
QUIET = 10
"""Percent of a minute's frames that are no louder than its level."""
KEPT, DAY, LEAST = 2880, 1440, 60
"""Levels that are kept (two days), that have seen a night, and without which nothing is said."""
FALL, FALL_EARLY = 12.0, 20.0
"""dB below the quietest minute ever that are far; and before it has seen a night: the house may be going to bed."""
FOR = 15
"""Minutes that it must last."""
FLOOR = -100.0
"""dB of exact zeros: they are another matter, and do not count."""


def power(frame: AudioFrame) -> float:
    """Mean square of its samples."""
    return float(np.mean(np.square(frame.samples, dtype=np.float64)))


class Loudness:
    """One microphone's."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self.fault = ""
        """What is wrong; empty: nothing"""
        self._minutes: deque[float] = deque(maxlen=KEPT)
        self._frames: list[float] = []
        self._seconds = 0.0
        self._low = 0

    def feed(self, frame: AudioFrame) -> str:
        """Take the next frame; return what is wrong, if anything."""
        mean = power(frame)
        if mean > 0:
            self._frames.append(10 * math.log10(mean / 32768**2))
            self._seconds += len(frame.samples) / LISTEN_RATE
        if self._seconds >= MINUTE:
            self._minute(float(np.percentile(self._frames, QUIET)))
            self._frames, self._seconds = [], 0.0
        return self.fault

    def _minute(self, level: float) -> None:
        known = len(self._minutes)
        quietest = min(self._minutes, default=FLOOR)
        fall = FALL if known >= DAY else FALL_EARLY
        if known >= LEAST and level < quietest - fall:
            # It does not become what is usual: then nobody would hear of it again.
            self._low += 1
            if self._low >= FOR:
                self.fault = (
                    f"the microphone has become {quietest - level:.0f} dB quieter than it ever was: a loose plug, or "
                    "its gain in the mixer?"
                )
            return
        self._low, self.fault = 0, ""
        self._minutes.append(level)
