"""How fast a renderer draws, and whether that is fast enough."""

from __future__ import annotations

from collections import deque

from avatard.api.flow import FPS

FRAME = 1 / FPS
"""Seconds"""
WINDOW = 10
"""Frames that are looked at."""
ENOUGH, GLARING = 5, 3
"""Frames after which it is known to be too slow; and after which it is, where it takes more than twice the time."""
RESERVE = 0.2
"""Seconds ahead of what is shown; who has more has time left."""
AT_ONCE = 0.002
"""Seconds; a frame that comes so soon was drawn together with the one before."""


class Tempo:
    """The time that a renderer took for its last frames.

    Frames that are drawn together come together: the first of them seems to have cost all, the others nothing. So
    those that came last count only when the next one has to be waited for. An answer's first frame never counts: it
    loads, and waits for the sound that its mouth must know in advance.
    """

    def __init__(self) -> None:
        """Nothing was drawn yet."""
        self._lots: deque[list[float]] = deque()
        """Each: seconds, frames."""
        self._newest: list[float] | None = None
        self._first = True

    def drew(self, seconds: float) -> None:
        """A frame came after so many seconds of work."""
        if self._first:
            self._first = False
        elif self._newest is not None and seconds < AT_ONCE:
            self._newest[0] += seconds
            self._newest[1] += 1
        else:
            if self._newest is not None:
                self._lots.append(self._newest)
            self._newest = [seconds, 1]
            while len(self._lots) > 1 and self.frames - self._lots[0][1] >= WINDOW:
                self._lots.popleft()

    @property
    def frames(self) -> float:
        """How many frames it knows about."""
        return sum(count for _, count in self._lots)

    @property
    def load(self) -> float | None:
        """The share of real time that drawing takes: above 1 it is too slow; None while that is not known."""
        if len(self._lots) < 2 or self.frames < GLARING:
            return None
        # One slow picture says nothing about the next.
        slowest = max(self._lots, key=lambda lot: lot[0] / lot[1])
        seconds = sum(seconds for seconds, _ in self._lots) - slowest[0]
        return seconds / (self.frames - slowest[1]) / FRAME

    @property
    def lately(self) -> float:
        """The same of the last few alone, so that it is soon known how slow it has become."""
        lots = list(self._lots)[-3:]
        return sorted(seconds / count for seconds, count in lots)[len(lots) // 2] / FRAME if lots else 0.0

    def too_slow(self, lead: float) -> bool:
        """Whether it cannot keep up, being so many seconds ahead of what is shown."""
        load = self.load
        if load is None or load <= 1 or lead >= RESERVE:
            return False
        return load > 2 or self.frames >= ENOUGH
