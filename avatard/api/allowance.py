"""How much may come at once from others, and how much by and by."""

from __future__ import annotations

import time
from collections.abc import Callable


class Allowance:
    """How many may come: a bucket that fills again by and by."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin full."""
        self._per_second, self._burst, self._clock = per_second, float(burst), clock
        self._left, self._at = float(burst), clock()

    @property
    def any(self) -> bool:
        """Whether one may come."""
        return self._left + (self._clock() - self._at) * self._per_second >= 1

    @property
    def full(self) -> bool:
        """Whether none has come lately."""
        return self._left + (self._clock() - self._at) * self._per_second >= self._burst

    def take(self) -> bool:
        """Take one, where there is one."""
        now = self._clock()
        self._left, self._at = min(self._burst, self._left + (now - self._at) * self._per_second), now
        if self._left < 1:
            return False
        self._left -= 1
        return True
