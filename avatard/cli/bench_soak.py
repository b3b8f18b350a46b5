"""``avatard bench soak``: turn after turn, as fast as they go, and what that leaves behind."""

from __future__ import annotations

import argparse
import sys
import threading
from typing import Any

from avatard.runtime.config import from_mapping
from avatard.runtime.house import open_house
from avatard.runtime.model import trim
from avatard.runtime.process import memory_mb

MEASURES = 20
"""How often it is looked at what the process takes."""
WARM = 10
"""Turns before the first look: models load, caches fill."""
WORDS = "the kitchen window is open and it will rain after lunch so please close it before you leave".split()

EPILOG = """example:
  avatard bench soak --turns 1000    as fast as they go; nobody waits for the sound

Memory (with children), threads and open files, before and after. The slope is of the second half: caches fill at first.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this bench takes."""
    parser.add_argument("--turns", type=int, default=200, help="how many questions")


async def measure(turns: int) -> dict[str, Any]:
    """Ask and answer so often, with the real voice, face and intents; nobody waits for the sound."""
    import psutil

    configuration = from_mapping({
        "name": "soak", "microphone": {"platform": "scripted"}, "listening": {"enabled": False},
        "conversation": {"platform": "scripted"}, "display": {"platform": "none", "pace": "fast"},
    })  # fmt: skip
    memory: list[float] = []
    process = psutil.Process()
    async with open_house(configuration) as house:
        for turn in range(turns + WARM):
            if turn == WARM:
                first = threading.active_count(), process.num_fds()
            if turn >= WARM and (turn - WARM) % max(1, turns // MEASURES) == 0:
                trim()  # as the daemon does 3 s after an answer; here there is no pause
                memory.append(memory_mb())
                print(".", end="", file=sys.stderr, flush=True)
            await (await house.door.ask(_sentence(turn))).finished
        trim()
        memory.append(memory_mb())
        last = threading.active_count(), process.num_fds()
    print(file=sys.stderr)
    return {
        "turns": turns, "memory_mb": memory, "slope_mb_per_100": round(_slope(memory) * 100 * MEASURES / turns, 2),
        "threads": [first[0], last[0]], "descriptors": [first[1], last[1]],
    }  # fmt: skip


def _sentence(turn: int) -> str:
    """Another one each time, so that no cache answers."""
    at = turn % len(WORDS)
    return " ".join((*WORDS[at:], *WORDS[:at], str(turn)))


def _slope(values: list[float]) -> float:
    """Least squares, per value; of the second half: what fills up is full by then."""
    import numpy as np

    late = values[len(values) // 2 :]
    return float(np.polyfit(range(len(late)), late, 1)[0]) if len(late) > 1 else 0.0
