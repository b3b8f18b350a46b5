"""Time, as the bridge needs it; tests have another."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> float:
        """Monotonic seconds."""

    def wall(self) -> float:
        """Seconds since 1970."""

    async def wait(self, changed: asyncio.Event, seconds: float) -> None:
        """Return when the event is set, at the latest after so many seconds (``math.inf``: never)."""


class SystemClock:
    """The machine's."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Take the daemon's monotonic clock."""
        self.now = now

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()

    async def wait(self, changed: asyncio.Event, seconds: float) -> None:
        """Wait for real."""
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else max(0.0, seconds)):
                await changed.wait()
        except TimeoutError:
            return
