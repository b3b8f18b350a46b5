"""Timers that ring."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from avatard.api.context import Pulse
from avatard.api.door import TimerView
from avatard.api.errors import AvatardError, Refused
from avatard.talk.orders import Orders

LONGEST = 24 * 3600.0
"""Seconds"""
RING_AGAIN = 1.0
"""Seconds after which a ring that could not be handed over is tried again."""
RING_LIMIT = 10.0
"""Seconds that it may take to hand a ring over."""


@dataclass(slots=True)
class Timer:
    """One timer; ``due`` in monotonic seconds."""

    id: int
    name: str
    seconds: float
    due: float
    where: Orders | None = None
    """Where it was asked for, and rings; None: in the room."""

    def view(self) -> TimerView:
        """What others may know of it."""
        return TimerView(self.id, self.name, max(0.0, self.due - time.monotonic()), False)


class Timers:
    """Waits for the next timer to end and calls ``ring``."""

    def __init__(self, ring: Callable[[Timer], Awaitable[None]], most: int = 16) -> None:
        """Call ``ring(timer)`` for each timer that ends; allow ``most`` at once."""
        self._ring, self._most = ring, most
        self._ids = itertools.count(1)
        self._timers: dict[int, Timer] = {}
        self._changed = asyncio.Event()

    def start(self, seconds: float, name: str = "", where: Orders | None = None) -> TimerView:
        """Start one; it rings where it was asked for.

        Raises:
            Refused: it is no sensible length, or there are too many.
        """
        if not 1 <= seconds <= LONGEST:
            raise Refused(f"a timer of {seconds:g} s: give between 1 second and 24 hours")
        if len(self._timers) >= self._most:
            raise Refused(f"there are {self._most} timers already: cancel one first")
        timer = Timer(next(self._ids), name, seconds, time.monotonic() + seconds, where)
        self._timers[timer.id] = timer
        self._changed.set()
        return timer.view()

    def cancel(self, id: int | None = None) -> TimerView | None:
        """Cancel one, the next to end without ``id``."""
        timer = min(self._timers.values(), key=lambda t: t.due, default=None) if id is None else self._timers.get(id)
        if timer is None:
            return None
        del self._timers[timer.id]
        self._changed.set()
        return timer.view()

    def views(self) -> tuple[TimerView, ...]:
        """All that run, the next to end first."""
        return tuple(timer.view() for timer in sorted(self._timers.values(), key=lambda t: t.due))

    async def run(self, pulse: Pulse) -> None:
        """Ring what ends, for ever."""
        while True:
            pulse.beat(math.inf)
            self._changed.clear()
            first = min(self._timers.values(), key=lambda t: t.due, default=None)
            wait = None if first is None else first.due - time.monotonic()
            if first is not None and wait is not None and wait <= 0:
                del self._timers[first.id]
                pulse.beat(RING_LIMIT)
                try:
                    await self._ring(first)
                except AvatardError:
                    # Nobody can ring while the house is opened again or too much waits to be said.
                    first.due = time.monotonic() + RING_AGAIN
                    self._timers[first.id] = first
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue
