"""Timers that ring until somebody stops them, and outlive the daemon."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from avatard.api.context import Pulse
from avatard.api.door import Ticket
from avatard.api.errors import AvatardError, Refused
from avatard.api.news import News, TimersChanged, TimerView, TurnReport
from avatard.talk.orders import Orders

log = logging.getLogger(__name__)

LONGEST = 24 * 3600.0
"""Seconds"""
NAME = 80
"""Characters of a name."""
RING_AGAIN = 1.0
"""Seconds after which a ring that could not be handed over is tried again."""
TRIES = 100
"""Rings that may come to nothing, after which it is given up."""
RING_LIMIT = 10.0
"""Seconds that it may take to hand a ring over."""
LOOK = 30.0
"""Seconds after which the clock is looked at again while a timer runs: it may have been set."""
STALE = 3600.0
"""Seconds after its end within which a timer still rings that ended while nothing ran."""


@dataclass(slots=True)
class Timer:
    """One timer."""

    id: int
    name: str
    seconds: float
    ends: float
    """Unix time: what a restart, and a clock that is set right after a start without network, leave true"""
    where: Orders | None = None
    """Where it was asked for, and rings; None: in the room."""
    turn: int | None = None
    """In which it rings"""
    tries: int = 0
    """Rings that came to nothing"""

    @property
    def left(self) -> float:
        """Seconds until it rings."""
        return max(0.0, self.ends - time.time())

    def view(self) -> TimerView:
        """What others may know of it."""
        return TimerView(self.id, self.name, self.left, self.turn is not None, self.ends)


class Timers:
    """Waits for the next timer to end and calls ``ring``."""

    def __init__(
        self, ring: Callable[[Timer], Awaitable[Ticket]], news: News, most: int = 16
    ) -> None:
        """Call ``ring(timer)`` for each timer that ends; its turn ends when somebody has stopped it."""
        self.keep: Callable[[list[dict[str, Any]]], None] = lambda timers: None
        """Called with all of them whenever they change."""
        self._ring, self._news, self._most = ring, news, most
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
        timer = Timer(next(self._ids), " ".join(name.split())[:NAME], seconds, time.time() + seconds, where)
        self._timers[timer.id] = timer
        self._tell()
        return timer.view()

    def add(self, seconds: float, id: int | None = None, name: str = "") -> TimerView | None:
        """Let one end later (earlier, where ``seconds`` is below 0); None where there is no such one.

        Raises:
            Refused: it would end in the past, or be too long.
        """
        timer = self._found(id, name)
        if timer is None or timer.turn is not None:
            return None
        if not 1 <= timer.left + seconds <= LONGEST:
            raise Refused(f"a timer to end in {timer.left + seconds:.0f} s: give between 1 second and 24 hours")
        timer.ends += seconds
        timer.seconds += seconds
        self._tell()
        return timer.view()

    def cancel(self, id: int | None = None, name: str = "") -> Timer | None:
        """Cancel one, the next to end without ``id`` and ``name``; None where there is no such one."""
        timer = self._found(id, name)
        if timer is not None:
            del self._timers[timer.id]
            self._tell()
        return timer

    def views(self) -> tuple[TimerView, ...]:
        """All that run or ring, the next to end first."""
        return tuple(timer.view() for timer in sorted(self._timers.values(), key=lambda t: t.ends))

    def restore(self, kept: Iterable[Mapping[str, Any]]) -> None:
        """Take up what was kept; what ended too long ago does not ring any more.

        Raises:
            ValueError, TypeError, KeyError: it is not what was kept.
        """
        for one in kept:
            timer = Timer(int(one["id"]), str(one["name"])[:NAME], float(one["seconds"]), float(one["ends"]))
            if not (math.isfinite(timer.ends) and math.isfinite(timer.seconds)):
                raise ValueError(f"timer {timer.id}: {timer.ends} is no time")
            if time.time() - timer.ends > STALE:
                log.warning("timer %s ended while nothing ran, and does not ring", timer.name or timer.id)
            elif len(self._timers) < self._most:
                # A clock that was set back must not let it run for longer than it was set.
                timer.ends = min(timer.ends, time.time() + timer.seconds)
                self._timers[timer.id] = timer
        self._ids = itertools.count(max(self._timers, default=0) + 1)
        self._tell()

    async def run(self, pulse: Pulse) -> None:
        """Ring what ends, for ever."""
        while True:
            pulse.beat(math.inf)
            self._changed.clear()
            first = min((t for t in self._timers.values() if t.turn is None), key=lambda t: t.ends, default=None)
            if first is not None and first.left <= 0:
                pulse.beat(RING_LIMIT)
                await self._begin(first)
                continue
            try:
                async with asyncio.timeout(None if first is None else min(LOOK, first.left)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _begin(self, timer: Timer) -> None:
        try:
            ticket = await self._ring(timer)
        except AvatardError:
            # Nobody can ring while the house is opened again or too much waits to be said.
            timer.ends = time.time() + RING_AGAIN
            return
        timer.turn = ticket.turn
        asyncio.ensure_future(ticket.finished).add_done_callback(lambda ended: self._stopped(timer, ended))
        self._tell()

    def _stopped(self, timer: Timer, ended: asyncio.Future[TurnReport]) -> None:
        if self._timers.get(timer.id) is not timer:
            return
        timer.turn = None
        if (ended.cancelled() or ended.result().error) and timer.tries < TRIES:
            # Nobody has stopped it: it was never heard, or something failed, or the house closed.
            timer.tries += 1
            timer.ends = time.time() + RING_AGAIN
        else:
            del self._timers[timer.id]
        self._tell()

    def _found(self, id: int | None, name: str) -> Timer | None:
        wanted = " ".join(name.casefold().split())
        among = [t for t in self._timers.values() if id in (None, t.id) and wanted in ("", t.name.casefold())]
        return min(among, key=lambda t: t.ends, default=None)

    def _tell(self) -> None:
        self._changed.set()
        kept = [{"id": t.id, "name": t.name, "seconds": t.seconds, "ends": t.ends} for t in self._timers.values()]
        self.keep(kept)
        self._news.publish(TimersChanged(self.views()))
