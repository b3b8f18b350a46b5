"""``avatard bench``: measures on this machine. Nothing here is asserted in a test."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.news import Event, Problem, TurnFinished
from avatard.cli import bench_echo, bench_interrupt, bench_lipsync, bench_listen, bench_soak, bench_stream
from avatard.cli.conversation import converse, record_questions, write_wav
from avatard.runtime.config import from_mapping
from avatard.runtime.house import House, open_house
from avatard.runtime.process import cpu_seconds, memory_mb

_AS_IT_IS = argparse.RawDescriptionHelpFormatter
EPILOG = """examples:
  avatard bench turn           how soon it answers
  avatard bench listen         ten hours of a household: false wakes, missed phrases
  avatard bench idle --json    figures for a script
"""
TURN = """example:
  avatard bench turn --rounds 5    three questions, five times, each at the pace of a person

Spoken questions go in as sound; what is heard, answered and shown is timed. Needs no microphone.
"""
IDLE = """example:
  avatard bench idle --seconds 60    processor and memory, children included

The built-in default listens; where there is no sound card, it hears a recording of quiet noise at real pace.
"""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("bench", help="measure this machine", formatter_class=_AS_IT_IS, epilog=EPILOG)
    benches = parser.add_subparsers(metavar="WHAT", required=True)

    def bench(name: str, summary: str, run: Callable[[argparse.Namespace], int], epilog: str) -> Any:
        one = benches.add_parser(name, help=summary, description=summary, epilog=epilog, formatter_class=_AS_IT_IS)
        one.add_argument("--json", action="store_true", help="print the figures as JSON")
        one.set_defaults(run=run)
        return one

    turn = bench("turn", "latencies, from the end of a command to the first speaking picture", _run_turn, TURN)
    turn.add_argument("--rounds", type=int, default=3, help="how often the three questions are asked")
    bench_lipsync.add_arguments(bench("lipsync", "what a picture costs", bench_lipsync.run, bench_lipsync.EPILOG))
    bench_listen.add_arguments(
        bench("listen", "false wakes and missed wake phrases", bench_listen.run, bench_listen.EPILOG)
    )
    idle = bench("idle", "what listening costs while nobody speaks", _run_idle, IDLE)
    idle.add_argument("--seconds", type=float, default=30, help="how long to look")
    bench_soak.add_arguments(bench("soak", "what many turns leave behind", _run_soak, bench_soak.EPILOG))
    bench_echo.add_arguments(bench("echo", "whether it hears itself", bench_echo.run, bench_echo.EPILOG))
    bench_interrupt.add_arguments(
        bench("interrupt", "how soon it is silent", _run_interrupt, bench_interrupt.EPILOG)
    )
    bench_stream.add_arguments(
        bench("stream", "how a language model's reply is said while it comes", bench_stream.run, bench_stream.EPILOG)
    )


def _run_turn(args: argparse.Namespace) -> int:
    return _print(asyncio.run(_turn(args.rounds)), args.json)


def _run_idle(args: argparse.Namespace) -> int:
    return _print(asyncio.run(_idle(args.seconds)), args.json)


def _run_soak(args: argparse.Namespace) -> int:
    return _print(asyncio.run(bench_soak.measure(args.turns)), args.json)


def _run_interrupt(args: argparse.Namespace) -> int:
    return _print(asyncio.run(bench_interrupt.measure(args.interrupts, args.speaker)), args.json)


def _print(figures: dict[str, Any], as_json: bool) -> int:
    if as_json:
        print(json.dumps(figures))
        return 0
    for key, value in figures.items():
        if key == "turns" and isinstance(value, list):
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
