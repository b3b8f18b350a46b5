"""``avatard bench echo``: whether our own voice wakes it, and whether a person still does; faster than real time."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import time
from contextlib import AsyncExitStack
from typing import Any

import numpy as np

from avatard.api.flow import LISTEN_RATE, SPEECH_RATE
from avatard.cli.echo_cast import PERSON, Audition, Cast, Line
from avatard.cli.echo_guards import Guards
from avatard.cli.echo_tally import LEVELS, PHRASES, Tally
from avatard.cli.listen_people import Person, recorded
from avatard.cli.progress import Bar
from avatard.cli.rooms import Room
from avatard.runtime.config import built_in, from_mapping
from avatard.runtime.foundation import open_foundation
from avatard.runtime.plugin import Opener
from avatard.runtime.voices import Voices, Wave, voices
from avatard.talk.recorded import level

LOUDNESS = 2500.0
"""Root mean square of our voice as it is played, and as the microphone hears it where nobody else speaks."""
SPACING, FIRST, GRACE = 4.5, 3.0, 0.7
"""Seconds from one interrupt to the next, before the first, and after one in which it may be noticed."""

EPILOG = """example:
  avatard bench echo --minutes 30    half an hour of its own wake phrases, then people who interrupt it
  avatard bench echo --seed 5        other voices, sentences and rooms than those the guards were tuned with

Four ears hear the same: without any guard, with the cancellers alone, with the rehearsal alone, with both.
"""


class Bench:
    """Plays answers into rooms."""

    def __init__(self, guards: Guards, speaking: Voices, cast: Cast) -> None:
        """Measure these engines."""
        self._guards, self._voices, self._cast = guards, speaking, cast
        self.tally = Tally()
        self._rng = np.random.default_rng(11 + cast.seed)

    async def tempt(self, number: int) -> float:
        """Say wake phrases; return how many seconds that took of the hour."""
        said = await self._said(self._cast.tempting(number))
        heard = _scaled(self._cast.room(number).heard(_slower(said)), LOUDNESS)
        self._count(await self._guards.listen(said, heard + self._rng.normal(0, 20, len(heard))))
        return self._passed(len(heard))

    async def interrupt(self, number: int, phrase: str, person: Wave, db: int) -> float:
        """Let a person say a wake phrase into an answer, a few times; as ``tempt``."""
        said = await self._said(self._cast.plain(number))
        heard = _scaled(self._cast.room(number).heard(_slower(said)), PERSON / 10 ** (db / 20))
        here = _scaled(_beside(self._cast.room(100 + number), person), PERSON)
        starts = [int((FIRST + 0.3 * (number % 5)) * LISTEN_RATE)]
        while starts[-1] + SPACING * LISTEN_RATE + len(here) < len(heard) - LISTEN_RATE:
            starts.append(starts[-1] + int(SPACING * LISTEN_RATE))
        quiet = self._rng.normal(0, 20, len(heard))
        for start in starts:
            quiet[start : start + len(here)] += here
            heard[start : start + len(here)] += here
        wakes = await self._guards.listen(said, heard + self._rng.normal(0, 20, len(heard)))
        spans = [(s / LISTEN_RATE, (s + len(here)) / LISTEN_RATE + GRACE) for s in starts]
        wakes["alone"] = await self._guards.plain(quiet)
        self.tally.interrupted(phrase, db, {
            guard: [any(p == phrase and a <= at <= b for p, at in found) for a, b in spans]
            for guard, found in wakes.items()
        })  # fmt: skip
        del wakes["alone"]
        self._count({g: [w for w in f if not any(a <= w[1] <= b for a, b in spans)] for g, f in wakes.items()})
        return self._passed(len(heard))

    async def _said(self, lines: list[Line]) -> Wave:
        """An answer as it is played, 48 kHz."""
        parts = []
        for text, voice in lines:
            spoken = _scaled(await self._voices.say(text, voice, hertz=SPEECH_RATE), LOUDNESS)
            parts += [spoken, np.zeros(SPEECH_RATE // 4)]
        return np.concatenate([*parts, np.zeros(SPEECH_RATE // 2)])

    def _count(self, wakes: dict[str, list[tuple[str, float]]]) -> None:
        for guard, found in wakes.items():
            self.tally.wakes[guard] += len(found)
            for phrase, _ in found:
                self.tally.ours[phrase][guard] += 1

    def _passed(self, samples: int) -> float:
        self.tally.hours += samples / LISTEN_RATE / 3600
        return samples / LISTEN_RATE


def _slower(sound: Wave) -> Wave:
    import soxr

    return np.asarray(soxr.resample(sound, SPEECH_RATE, LISTEN_RATE))


def _scaled(sound: Wave, to: float) -> Wave:
    return sound * (to / level(sound))


def _beside(there: Room, person: Wave) -> Wave:
    return there.heard(np.concatenate([person, np.zeros(LISTEN_RATE // 4)]), late=False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this bench's options to those of ``bench``."""
    parser.add_argument("--minutes", type=float, default=60, help="how long our own voice tempts it")
    parser.add_argument("--seed", type=int, default=0,
                        help="0: voices, sentences, rooms that the guards were tuned with; else others")  # fmt: skip
    parser.add_argument("--person", action="append", default=[], metavar="PHRASE=WAV",
                        help="one more who interrupts: a recording of alexa, okay_nabu, hey_jarvis")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    began = time.monotonic()
    people = [recorded(given, tuple(PHRASES)) for given in args.person]
    figures = asyncio.run(_measured(args.minutes, people, args.seed))
    figures["times_real_time"] = round(figures["hours"] * 3600 / (time.monotonic() - began), 1)
    if args.json:
        print(json.dumps(figures))
        return 0
    for key, value in figures.items():
        for name, row in value.items() if isinstance(value, dict) else ():
            print(f"{key:24} {name:12} {row}")
        if not isinstance(value, dict):
            print(f"{key:24} {value}")
    return 0


async def _measured(minutes: float, persons: list[Person], seed: int) -> dict[str, Any]:
    async with open_foundation(from_mapping({"name": "bench"})) as foundation, asyncio.TaskGroup() as tasks:
        async with AsyncExitStack() as stack:
            opener = Opener(stack, tasks, foundation, from_mapping({"name": "bench"}))
            wake = await opener.open(built_in("microwakeword", "wake_word"))
            cancellers = [await opener.open(built_in(name, "echo")) for name in ("webrtc", "linear")]
            guards, speaking = Guards(wake, cancellers), await stack.enter_async_context(voices())
            await guards.warm()
            cast = await Audition(seed, guards, speaking).cast(persons)
            bench = Bench(guards, speaking, cast)
            bar, wanted, passed = Bar(), minutes * 60, 0.0
            for number in itertools.count():
                if passed >= wanted:
                    break
                passed += await bench.tempt(number)
                bar.show(min(500, round(500 * passed / wanted)), 1000)
            rounds = max(1, round(minutes / 30))
            cases = [(n, p, sound, db) for n in range(rounds) for p, sound in cast.people for db in LEVELS]
            for index, (number, phrase, sound, db) in enumerate(cases):
                await bench.interrupt(7 * number + index, phrase, sound, db)
                bar.show(500 + 500 * (index + 1) // len(cases), 1000)
            bar.end()
            return bench.tally.figures()
