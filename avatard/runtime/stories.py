"""The news in the log, and every task's stack when somebody asks."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from typing import Any

from avatard.api.news import (
    EngineChanged,
    Problem,
    SettingChanged,
    StateChanged,
    TierChanged,
    Transcribed,
    TurnFinished,
    WakeHeard,
)
from avatard.runtime.feed import Feed

log = logging.getLogger("avatard")


async def tell(feed: Feed) -> None:
    """Log the news, for ever."""
    ailing: set[str] = set()
    with feed.subscribe(256) as news:
        async for event in news:
            match event:
                case StateChanged(state):
                    log.debug("state: %s", state)
                case WakeHeard(phrase, score, _):
                    log.info("wake word: %s (%.2f)", phrase, score)
                case Transcribed(text):
                    log.info("heard: %s", text or "(not understood)")
                case TurnFinished(report):
                    log.info("said: %s%s  %s", report.reply, " (interrupted)" if report.interrupted else "", report.ms)
                case SettingChanged(name, value):
                    log.info("%s: %s", name, value)
                case EngineChanged(stage, engine, why):
                    log.info("%s: %s serves: %s", stage, engine, why)
                case TierChanged(tier, did, freed, memory, budget):
                    log.info("memory: %s at %.0f of %.0f MB; %s; freed %.0f MB", tier, memory, budget,
                             ", ".join(did) or "nothing to do", freed)  # fmt: skip
                case Problem(where, _, True) if where in ailing:
                    ailing.discard(where)
                    log.warning("%s: works again", where)
                case Problem(where, what, False):
                    ailing.add(where)
                    log.debug("%s: %s", where, what)  # who told of it has logged it, with what it alone knows


def dump_tasks() -> None:
    """Write every task's stack to the log: what SIGUSR1 does."""
    tasks = asyncio.all_tasks()
    text = io.StringIO()
    for task in sorted(tasks, key=lambda t: t.get_name()):
        text.write(f"-- {task.get_name()}\n")
        for file, line, function in places(task.get_coro()):
            text.write(f"   {file}:{line} {function}\n")
    log.warning("SIGUSR1: %d tasks\n%s", len(tasks), text.getvalue())


def places(waiting: Any) -> Iterator[tuple[str, int, str]]:
    """Where a coroutine is: its own line, and that of each coroutine it awaits.

    ``Task.print_stack`` knows the outermost line alone.
    """
    while waiting is not None:
        kind = next((k for k in ("cr", "ag", "gi") if hasattr(waiting, f"{k}_frame")), None)
        if kind is None:
            return
        frame = getattr(waiting, f"{kind}_frame")
        if frame is not None:
            yield frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname
        waiting = getattr(waiting, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
