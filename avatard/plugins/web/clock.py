"""How far an answer has come: by what the browsers say, else by a clock of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from avatard.api.pace import TOLERANCE
from avatard.plugins.web.client import Client

AHEAD = 0.5
"""Seconds that a browser gets before it needs them."""
PATIENCE = 1.0
"""Seconds that a browser which is behind is waited for at the end."""
LOOK = 0.02
"""Seconds between looks at the browsers' clocks."""


class Clock:
    """Starts with an answer's first frame."""

    def __init__(self, answer: int, clients: Callable[[], Iterable[Client]]) -> None:
        """Ask these browsers how far the answer is."""
        self.late = 0
        self.handed = 0.0
        """Seconds of the answer that were handed over."""
        self._answer, self._clients = answer, clients
        self._start: float | None = None
        self._stopped: float | None = None

    @property
    def now(self) -> float:
        """Seconds since the answer's begin by its own clock."""
        if self._stopped is not None:
            return self._stopped
        return 0.0 if self._start is None else time.monotonic() - self._start

    @property
    def shown(self) -> float:
        """Seconds of the answer that were heard."""
        if self._stopped is not None:
            return self._stopped
        heard = self._heard()
        return min(self.handed, self.now if heard is None else heard)

    async def ahead(self, pts: float) -> None:
        """Wait until it is time to hand over the frame at ``pts``; a late one is counted and shifts the clock."""
        if self._start is None:
            self._start = time.monotonic() - pts
        early = pts - AHEAD - self.now
        if early > 0:
            await asyncio.sleep(early)
        elif (behind := self.now - pts) > TOLERANCE:
            self.late += 1
            self._start += behind

    async def until_heard(self) -> None:
        """Wait until all that was handed over was heard."""
        if (left := self.handed - self.now) > 0:
            await asyncio.sleep(left)
        for _ in range(round(PATIENCE / LOOK)):
            heard = self._heard()
            if heard is None or heard >= self.handed - TOLERANCE:
                return
            await asyncio.sleep(LOOK)

    def stop(self) -> None:
        """Stand still from now on."""
        self._stopped = self.shown

    def _heard(self) -> float | None:
        said = [heard for client in self._clients() if (heard := client.hears(self._answer)) is not None]
        return max(said, default=None)
