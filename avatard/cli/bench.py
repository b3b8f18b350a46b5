"""``avatard bench``: measures on this machine. Nothing here is asserted in a test."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.news import Event, Problem, TurnFinished
from avatard.cli import bench_echo, bench_interrupt, bench_lipsync, bench_soak
from avatard.cli.conversation import converse, record_questions, write_wav
from avatard.runtime.config import from_mapping
from avatard.runtime.house import House, open_house
from avatard.runtime.process import cpu_seconds, memory_mb


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("bench", help="measure this machine")
    parser.add_argument("what", choices=("turn", "lipsync", "idle", "soak", "echo", "interrupt"),
                        help="turn: latencies; lipsync: what a picture costs; idle: listening alone; "
                        "soak: what many turns leave behind; echo: whether it hears itself; "
                        "interrupt: how soon it is silent")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--rounds", type=int, default=3, help="turn: how often the three questions are asked")
    parser.add_argument("--seconds", type=float, default=30, help="idle: how long to look")
    bench_lipsync.add_arguments(parser)
    bench_soak.add_arguments(parser)
    bench_echo.add_arguments(parser)
    bench_interrupt.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if args.what == "lipsync":
        return bench_lipsync.run(args)
    if args.what == "echo":
        return bench_echo.run(args)
    measures: dict[str, Callable[[], Coroutine[Any, Any, dict[str, Any]]]] = {
        "turn": lambda: _turn(args.rounds), "soak": lambda: bench_soak.measure(args.turns),
        "interrupt": lambda: bench_interrupt.measure(args.interrupts, args.speaker),
    }  # fmt: skip
    figures = asyncio.run(measures.get(args.what, lambda: _idle(args.seconds))())
    if args.json:
        print(json.dumps(figures))
        return 0
    for key, value in figures.items():
        if key == "turns":
            for name in value[0]["ms"] if value else ():
                values = sorted(turn["ms"][name] for turn in value if name in turn["ms"])
                print(f"{name:32} median {statistics.median(values):7.0f} ms   max {values[-1]:7.0f} ms")
        else:
            print(f"{key:32} {value}")
    return 0


async def _turn(rounds: int) -> dict[str, Any]:
    def tell(event: Event) -> None:
        if isinstance(event, TurnFinished):
            print(".", end="", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="avatard-") as folder:
        paths = await record_questions(Path(folder))
        configuration = from_mapping({
            "name": "bench", "microphone": {"platform": "file", "path": [str(p) for p in paths * rounds]},
            "display": "none",
        })  # fmt: skip
        conversation = await converse(configuration, tell)
    print(file=sys.stderr)
    return conversation.report()


async def _idle(seconds: float) -> dict[str, Any]:
    """The default, listening; where there is no sound card, to a recording of quiet noise at real pace."""
    async with open_house(from_mapping({"name": "bench"})) as house:
        if await _hears(house):
            return await _measured(seconds, "sounddevice")
    with tempfile.TemporaryDirectory(prefix="avatard-") as folder:
        path = Path(folder) / "noise.wav"
        write_wav(path, np.random.default_rng(3).normal(0, 60, 16_000 * 20).astype(np.int16))
        configuration = from_mapping({
            "name": "bench", "microphone": {"platform": "file", "path": str(path), "loop": True}, "display": "none",
        })  # fmt: skip
        async with open_house(configuration):
            return await _measured(seconds, "file (there is no sound card)")


async def _hears(house: House) -> bool:
    with house.feed.subscribe() as news:
        async for event in news:
            if isinstance(event, Problem) and event.where == "microphone":
                return event.over
    return False


async def _measured(seconds: float, microphone: str) -> dict[str, Any]:
    import psutil

    await asyncio.sleep(3)
    before = cpu_seconds()
    await asyncio.sleep(seconds)
    share = (cpu_seconds() - before) / seconds * 100
    return {
        "cpu_percent_of_a_core": round(share, 2), "memory_mb": memory_mb(),
        "processes": 1 + len(psutil.Process().children(recursive=True)), "microphone": microphone,
    }  # fmt: skip
