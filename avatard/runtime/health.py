"""How the daemon is, as news: every 30 s and when something in it changes."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

import psutil

from avatard.api.context import Pulse
from avatard.api.news import Health, Problem, TierChanged, TurnFinished
from avatard.runtime.feed import Feed
from avatard.runtime.life import Life
from avatard.runtime.model import trim
from avatard.talk.assistant import Door

EVERY = 30.0
"""Seconds between two reports"""
QUIET = 3.0
"""Seconds after an answer at which its memory is given back"""
LOOK = 0.5
"""Seconds between two looks at the event loop"""


class Checkup:
    """Watches the event loop and the turns, and reports."""

    def __init__(
        self, feed: Feed, door: Door, life: Life, memory: Callable[[], tuple[float, float]],
        lost: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        """Report to the feed.

        Args:
            feed: the room's news.
            door: of the house.
            life: who is watched.
            memory: gives megabytes used and allowed.
            lost: what was dropped outside of the room.
        """
        self._feed, self._door, self._life, self._memory, self._lost = feed, door, life, memory, lost
        self._began = time.monotonic()
        self._lag_ms = 0.0
        self._fps = 0.0
        self._latency_ms: float | None = None
        self._stuck: tuple[str, ...] = ()
        self._tidy_at = math.inf

    async def run(self, pulse: Pulse) -> None:
        """Look and report, for ever."""
        due = 0.0
        with self._feed.subscribe(256) as news:
            while True:
                pulse.beat(30.0)
                before = time.monotonic()
                await asyncio.sleep(LOOK)
                now = time.monotonic()
                self._lag_ms = max(self._lag_ms, (now - before - LOOK) * 1000)
                changed = False
                for event in news.waiting():
                    changed |= isinstance(event, Problem | TierChanged)
                    if isinstance(event, TurnFinished):
                        self._note(event)
                self._tidy(now)
                stuck = self._life.stuck()
                if changed or stuck != self._stuck or now >= due:
                    self._stuck, due = stuck, now + EVERY
                    self._feed.publish(self._report(now))

    def _tidy(self, now: float) -> None:
        """What an answer's pictures took goes back to the system once it is quiet again."""
        household = self._door.household
        if now >= self._tidy_at and household is not None and household.place.current is None:
            self._tidy_at = math.inf
            trim()

    def _note(self, event: TurnFinished) -> None:
        self._tidy_at = time.monotonic() + QUIET
        report = event.report
        count, late = report.frames.get("count", 0), report.frames.get("late", 0)
        if count:
            self._fps = round(report.frames.get("fps", 25) * (count - min(late, count)) / count, 1)
        for name, value in report.ms.items():
            if name.endswith("_to_first_frame"):
                self._latency_ms = value

    def _report(self, now: float) -> Health:
        used, allowed = self._memory()
        lag, self._lag_ms = self._lag_ms, 0.0
        household = self._door.household
        drops = self._feed.drops + self._lost() + (household.seat.dropped if household is not None else 0)
        return Health(
            used, allowed, self._door.tier, self._fps, self._latency_ms, round(lag, 1), round(now - self._began, 1),
            drops, temperature(), self._stuck,
        )  # fmt: skip


def temperature() -> float | None:
    """The processor's degrees Celsius, where the board tells."""
    read = getattr(psutil, "sensors_temperatures", None)
    sensors = read() if read is not None else {}
    for name in ("cpu_thermal", "coretemp", "k10temp", "soc_thermal", "CPU-therm"):
        if sensors.get(name):
            return float(round(sensors[name][0].current, 1))
    return None
