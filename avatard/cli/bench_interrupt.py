"""``avatard bench interrupt``: how long after a command to be silent nothing sounds or works any more."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import threading
import time
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

from avatard.api.news import SentenceSpoken, StateChanged
from avatard.runtime.config import from_mapping
from avatard.runtime.house import House, open_house
from avatard.runtime.process import memory_mb

QUESTION = "what can you do"
"""Answered with three sentences."""
LOOK = 0.002
"""Seconds between looks at the display's clock."""
PATIENCE = 20.0
"""Seconds in which a moment must come."""
LAST = 0.02
"""Seconds before the answer's end: within its last frame."""

Moment = Callable[[House, AsyncIterable[Any], float], Awaitable[None]]
"""Returns when it has come, given the news since the question; the answer takes so many seconds."""


EPILOG = """\
From the command to the last sound given away, spread over four moments: thinking, speaking, between two sentences, and
in the last picture; and what is left behind.

  avatard bench interrupt
  avatard bench interrupt --speaker      the sound card's own delay counts in
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this bench takes."""
    parser.add_argument("--interrupts", type=int, default=100, help="how many")
    parser.add_argument("--speaker", action="store_true", help="on the sound card, not on a display of air")


async def measure(interrupts: int, speaker: bool) -> dict[str, Any]:
    """Ask and interrupt so often, with the default engines, at each of the moments in turn."""
    import psutil

    configuration = from_mapping({
        "name": "interrupt", "microphone": {"platform": "scripted"}, "listening": {"enabled": False},
        "display": "speaker" if speaker else "none",
    })  # fmt: skip
    process = psutil.Process()
    taken: dict[str, list[float]] = {name: [] for name in MOMENTS}
    async with open_house(configuration) as house:
        report = await (await house.door.ask(QUESTION)).finished
        before = _left(process)
        for number in range(interrupts):
            name = list(MOMENTS)[number % len(MOMENTS)]
            took = await _interrupted(house, MOMENTS[name], report.frames["count"] / 25)
            if took is not None:
                taken[name].append(took)
            print("." if took is not None else "!", end="", file=sys.stderr, flush=True)
        after = _left(process)
    print(file=sys.stderr)
    every = [ms for values in taken.values() for ms in values]
    return {
        "interrupts": len(every), "too_late": interrupts - len(every), "ms": _spread(every),
        "ms_by_moment": {name: _spread(values) for name, values in taken.items() if values},
        "display": "speaker" if speaker else "none", "left": {"before": before, "after": after},
    }  # fmt: skip


async def _interrupted(house: House, moment: Moment, seconds: float) -> float | None:
    """Milliseconds from the command until the turn has ended, with all that it ran; None: it had ended before."""
    with house.feed.subscribe(256) as news:
        ticket = await house.door.ask(QUESTION)
        async with asyncio.timeout(PATIENCE):
            await moment(house, news, seconds)
    began = time.perf_counter()
    await house.door.stop()
    took = time.perf_counter() - began
    return took * 1000 if (await ticket.finished).interrupted else None


async def _thinking(_house: House, news: AsyncIterable[Any], _seconds: float) -> None:
    # Looked at now and then, the state may be past already: thinking takes milliseconds.
    async for event in news:
        if isinstance(event, StateChanged) and event.state == "processing":
            break
    await asyncio.sleep(random.uniform(0, 0.03))


async def _speaking(house: House, _news: AsyncIterable[Any], seconds: float) -> None:
    await _heard(house, random.uniform(0.1, 0.9) * seconds)


async def _between(_house: House, news: AsyncIterable[Any], _seconds: float) -> None:
    async for event in news:
        if isinstance(event, SentenceSpoken):
            return


async def _last_frame(house: House, _news: AsyncIterable[Any], seconds: float) -> None:
    await _heard(house, seconds - LAST)


async def _heard(house: House, seconds: float) -> None:
    """Return when so much of the answer was heard; the one before may still be what the display shows."""
    while house.place.state != "responding":
        await asyncio.sleep(LOOK)
    while house.place.displays.shown < seconds and house.place.state == "responding":
        await asyncio.sleep(LOOK)


MOMENTS: dict[str, Moment] = {
    "thinking": _thinking, "speaking": _speaking, "between sentences": _between, "last frame": _last_frame,
}  # fmt: skip


def _left(process: Any) -> dict[str, float]:
    return {
        "tasks": len(asyncio.all_tasks()), "threads": threading.active_count(), "descriptors": process.num_fds(),
        "children": len(process.children(recursive=True)), "memory_mb": memory_mb(),
    }  # fmt: skip


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": round(ordered[len(ordered) // 2], 1), "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
        "max": round(ordered[-1], 1),
    }  # fmt: skip
