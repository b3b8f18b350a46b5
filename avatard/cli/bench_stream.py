"""``avatard bench stream``: how soon a reply is said that a language model's server streams, and where it halts."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from avatard.api.flow import EncodedChunk, Samples, VideoFrame
from avatard.api.pace import Pace
from avatard.cli.replies import REPLIES, Given, TokenServer
from avatard.runtime.config import Configuration, from_mapping
from avatard.runtime.foundation import open_foundation
from avatard.runtime.house import House, furnished

RATES = (1.0, 10.0, 20.0, 200.0)
"""Tokens a second."""
LOUD = 100
"""Of 32767: a frame that is nowhere louder is silent."""


EPILOG = """\
A scripted server gives tokens at these rates: how soon after its last token the first sentence sounds, and which pauses
between sentences are not the stream's own.

  avatard bench stream --rates 10
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this bench takes."""
    parser.add_argument("--rounds", type=int, default=3, help="how often it is asked")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="tokens a second")
    parser.add_argument("--kinds", nargs="+", choices=tuple(REPLIES), default=tuple(REPLIES),
                        help="which replies")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    figures = asyncio.run(measure(args.rates, args.kinds, args.rounds))
    if args.json:
        print(json.dumps(figures))
        return 0
    print(f"{'milliseconds: median / worst':32}{'first sentence':>16}{'between':>16}{'within':>16}  replies")
    for title, rows in figures.items():
        for name, row in rows.items():
            what = f"{name} tokens a second" if title == "rates" else name
            cells = "".join(_cell(row[key]) for key in ("first_sentence_ms", "gap_ms", "halt_ms"))
            wrong = f", {row['cut_otherwise']} cut otherwise" if row["cut_otherwise"] else ""
            print(f"{what:32}{cells}  {row['replies']}{wrong}")
    return 0


def _cell(spread: dict[str, int] | None) -> str:
    return f"{'-' if spread is None else '{median} / {worst}'.format(**spread):>16}"


@dataclass(slots=True)
class Span:
    """When a sentence sounded: from its first to its last loud frame."""

    begin: float
    """Monotonic seconds, as ``last``."""
    last: float
    first_pts: float
    """Seconds of the answer, as ``last_pts``."""
    last_pts: float
    halt: float = 0.0
    """The longest time in the midst of it that is not the sound's own, seconds."""


class Watch:
    """A display that notes when each sentence sounds, by the clock of one that keeps real time."""

    accepts: Literal["frames"] = "frames"
    pictures = True
    shown = 0.0

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.spans: dict[int, Span] = {}

    async def play(self, stream: AsyncIterator[VideoFrame] | AsyncIterator[EncodedChunk]) -> None:
        """Take the frames at their time."""
        self.spans, pace = {}, Pace(True)
        async with aclosing(cast("AsyncGenerator[VideoFrame, None]", stream)) as frames:
            async for frame in frames:
                await pace.until(frame.pts)
                if frame.sentence is not None and np.abs(frame.audio).max(initial=0) > LOUD:
                    self._sounds(frame.sentence.index, frame.pts, time.monotonic())

    def _sounds(self, index: int, pts: float, now: float) -> None:
        span = self.spans.setdefault(index, Span(now, now, pts, pts))
        span.halt = max(span.halt, now - span.last - (pts - span.last_pts))
        span.last, span.last_pts = now, pts

    async def chime(self, sound: Samples) -> None:
        """Nobody hears it."""

    def set_volume(self, percent: int) -> None:
        """Nobody hears it."""


async def measure(rates: list[float], kinds: list[str], rounds: int) -> dict[str, Any]:
    """Ask for each kind of reply at each rate so often; return milliseconds for each rate, and for each kind."""
    server, figures = TokenServer(), _Figures()
    async with server.serving():
        for language in sorted({REPLIES[kind][0] for kind in kinds}):
            configuration = _configuration(language, server.port)
            async with open_foundation(configuration) as foundation, furnished(configuration, foundation) as house:
                watch = Watch()
                with foundation.guests.staying("bench", watch):
                    await (await house.door.say("One.")).finished  # what is loaded lazily is there from here on
                    for kind in [kind for kind in kinds if REPLIES[kind][0] == language]:
                        for server.rate in rates:
                            for _ in range(rounds):
                                await _ask(house, kind)
                                figures.note(server.rate, kind, server.given, watch.spans)
                                print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return figures.report()


def _configuration(language: str, port: int) -> Configuration:
    return from_mapping({
        "name": "bench", "language": language, "microphone": {"platform": "scripted"}, "listening": {"enabled": False},
        "conversation": {"platform": "openai", "url": f"http://127.0.0.1:{port}/v1"}, "display": "none",
        "memory": {"cache_mb": 0},
    })  # fmt: skip


async def _ask(house: House, kind: str) -> None:
    report = await (await house.door.ask(kind, session=f"{kind}{time.monotonic()}")).finished
    if report.error:
        raise RuntimeError(report.error)


class _Figures:
    """What was measured: seconds."""

    def __init__(self) -> None:
        self._of: dict[tuple[float, str], dict[str, list[float]]] = {}

    def note(self, rate: float, kind: str, given: Given, spans: dict[int, Span]) -> None:
        """Take one reply."""
        of = self._of.setdefault((rate, kind), {"first": [], "gap": [], "halt": [], "cut": []})
        said = [spans[index] for index in sorted(spans)]
        of["cut"].append(len(said) - len(given.ends))
        of["halt"] += [span.halt for span in said]
        if len(said) != len(given.ends):
            return
        of["first"].append(said[0].begin - given.ends[0])
        for before, span, end in zip(said, said[1:], given.ends[1:], strict=False):
            going_on = before.last + span.first_pts - before.last_pts
            of["gap"].append(span.begin - max(going_on, end))

    def report(self) -> dict[str, Any]:
        """Median and worst."""
        rates = list(dict.fromkeys(rate for rate, _ in self._of))
        kinds = list(dict.fromkeys(kind for _, kind in self._of))
        return {
            "rates": {f"{rate:g}": self._summed(lambda key, r=rate: key[0] == r) for rate in rates},
            "kinds": {kind: self._summed(lambda key, k=kind: key[1] == k) for kind in kinds},
        }  # fmt: skip

    def _summed(self, belongs: Any) -> dict[str, Any]:
        every = [of for key, of in self._of.items() if belongs(key)]
        return {
            "first_sentence_ms": _spread([v for of in every for v in of["first"]]),
            "gap_ms": _spread([v for of in every for v in of["gap"]]),
            "halt_ms": _spread([v for of in every for v in of["halt"]]),
            "replies": sum(len(of["cut"]) for of in every),
            "cut_otherwise": sum(v != 0 for of in every for v in of["cut"]),
        }  # fmt: skip


def _spread(values: list[float]) -> dict[str, int] | None:
    if not values:
        return None
    return {"median": round(statistics.median(values) * 1000), "worst": round(max(values) * 1000)}
