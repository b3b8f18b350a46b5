"""Real time for what has no clock of its own: recordings, files, and displays without sound."""

from __future__ import annotations

import asyncio
import time

TOLERANCE = 0.04
"""Seconds that a frame may come after it is due without counting as late: one frame at 25 fps."""


class Pace:
    """A clock that starts at its first frame and stands still while there is nothing to play."""

    def __init__(self, real: bool) -> None:
        """Keep real time, or go as fast as frames come."""
        self.late = 0
        self._real = real
        self._start: float | None = None

    async def until(self, pts: float) -> None:
        """Wait until ``pts`` seconds after the first call; when already past it, count it and shift the clock."""
        if not self._real:
            await asyncio.sleep(0)
            return
        now = time.monotonic()
        if self._start is None:
            self._start = now - pts
        behind = now - self._start - pts
        if behind < 0:
            await asyncio.sleep(-behind)
        elif behind > TOLERANCE:
            self.late += 1
            self._start += behind
