"""``avatard bench echo``: whether our own voice wakes it, and whether a person still does; faster than real time."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import time
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import numpy as np

from avatard.api.echo import EchoCanceller
from avatard.api.flow import FPS, FRAME_SAMPLES, LISTEN_RATE, SPEECH_RATE, AudioFrame, VideoFrame
from avatard.api.stages import WakeDetector
from avatard.cli.echo_tally import GUARDS, LEVELS, OURS, PEOPLE, PHRASES, PLAIN, TEMPTING, Tally
from avatard.cli.progress import Bar
from avatard.cli.rooms import Room, Voices, Wave, level, room, voices
from avatard.runtime.config import built_in, from_mapping
from avatard.runtime.feed import Feed
from avatard.runtime.foundation import open_foundation
from avatard.runtime.plugin import Opener
from avatard.talk.attention import Attention, Ear
from avatard.talk.ownvoice import OwnVoice
from avatard.talk.played import Played

LOUDNESS = 2500.0
"""Root mean square of our voice as it is played, and as the microphone hears it where nobody else speaks."""
PERSON = 4000.0
"""Of one who interrupts; our voice is so many dB below."""
BLOCK = 1024
"""Samples of the microphone's frames, as sounddevice gives them."""
SPACING, FIRST, GRACE = 4.5, 3.0, 0.7
"""Seconds from one interrupt to the next, before the first, and after one in which it may be noticed."""

EPILOG = """example:
  avatard bench echo --minutes 30    half an hour of its own wake phrases, then people who interrupt it
"""


class Listener:
    """One guard's ear, and its own idea of what we say."""

    def __init__(self, guard: str, wake: WakeDetector, cancellers: Sequence[EchoCanceller]) -> None:
        """Nothing was heard yet."""
        self.guard, self.now, self.shown = guard, 0.0, 0.0
        self.own = OwnVoice(lambda: self.shown, lambda: self.now)
        self.played = Played()
        cancels = guard in ("cancelling", "with")
        self._live = guard != "without"
        self._attention = Attention(wake, self.own, self.played, cancellers if cancels else (), Feed())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Ear]:
        """Listen."""
        async with self._attention.open(self._live) as ear:
            if self.guard == "cancelling":
                self.own.rehearsal = None
            yield ear


class Bench:
    """Plays answers into rooms."""

    def __init__(self, wake: WakeDetector, cancellers: Sequence[EchoCanceller], speaking: Voices) -> None:
        """Measure these engines."""
        self._wake, self._cancellers, self._voices = wake, cancellers, speaking
        self.tally = Tally()
        self._rng = np.random.default_rng(11)
        self._texts: dict[tuple[str, str], Wave] = {}

    async def warm(self) -> None:
        """Return when the canceller is at work: it starts with the first frame."""
        async with self._cancellers[0].open() as stream:
            frame = AudioFrame(np.full(BLOCK, 100, np.int16), LISTEN_RATE, 0.0, 0.0)
            for _ in range(100):
                if await stream.clean(frame, frame.samples) is not frame:
                    return
                await asyncio.sleep(0.1)

    async def people(self, recorded: list[tuple[str, str, str]]) -> list[tuple[str, Wave]]:
        """Those who interrupt: synthetic voices, and recordings."""
        people = [(phrase, await self._voices.say(f"{PHRASES[phrase]}.", voice, rate, 45))
                  for phrase, several in PEOPLE.items() for voice, rate in several]  # fmt: skip
        for phrase, _, path in recorded:
            with wave.open(path, "rb") as file:
                sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float64)
            people.append((phrase, sound))
        return people

    async def tempt(self, number: int) -> float:
        """Say wake phrases; return how many seconds that took of the hour."""
        texts = [TEMPTING[(number + i) % len(TEMPTING)].format(p) for i in range(3) for p in PHRASES.values()]
        said = await self._said(texts, number)
        heard = _scaled(room(number).heard(_slower(said)), LOUDNESS)
        self._count(await self._listen(said, heard))
        return self._passed(len(heard))

    async def interrupt(self, number: int, phrase: str, person: Wave, db: int) -> float:
        """Let a person say a wake phrase into an answer, a few times; as ``tempt``."""
        said = await self._said([PLAIN[(number + i) % len(PLAIN)] for i in range(4)], number)
        heard = _scaled(room(number).heard(_slower(said)), PERSON / 10 ** (db / 20))
        here = _scaled(_beside(room(100 + number), person), PERSON)
        starts = [int((FIRST + 0.3 * (number % 5)) * LISTEN_RATE)]
        while starts[-1] + SPACING * LISTEN_RATE + len(here) < len(heard) - LISTEN_RATE:
            starts.append(starts[-1] + int(SPACING * LISTEN_RATE))
        quiet = self._rng.normal(0, 20, len(heard))
        for start in starts:
            quiet[start : start + len(here)] += here
            heard[start : start + len(here)] += here
        wakes = await self._listen(said, heard)
        spans = [(s / LISTEN_RATE, (s + len(here)) / LISTEN_RATE + GRACE) for s in starts]
        wakes["alone"] = await self._plain(_whole(quiet))
        self.tally.tried[phrase, db] = self.tally.tried.get((phrase, db), 0) + len(spans)
        for guard, found in wakes.items():
            kept = sum(any(p == phrase and a <= at <= b for p, at in found) for a, b in spans)
            key = phrase, db, guard
            self.tally.kept[key] = self.tally.kept.get(key, 0) + kept
        del wakes["alone"]
        self._count({g: [w for w in f if not any(a <= w[1] <= b for a, b in spans)] for g, f in wakes.items()})
        return self._passed(len(heard))

    async def _said(self, texts: list[str], number: int) -> Wave:
        """An answer as it is played, 48 kHz."""
        parts = []
        for index, text in enumerate(texts):
            key = text, OURS[(number + index) % len(OURS)]
            if key not in self._texts:
                self._texts[key] = _scaled(await self._voices.say(*key, hertz=SPEECH_RATE), LOUDNESS)
            parts += [self._texts[key], np.zeros(SPEECH_RATE // 4)]
        return np.concatenate([*parts, np.zeros(SPEECH_RATE // 2)])

    async def _listen(self, said: Wave, heard: Wave) -> dict[str, list[tuple[str, float]]]:
        """Say it once, in all guards' ears; return each one's wake words and where."""
        found: dict[str, list[tuple[str, float]]] = {guard: [] for guard in GUARDS}
        given = _whole(said)
        sound = _whole(heard + self._rng.normal(0, 20, len(heard)))
        listeners = [Listener(guard, self._wake, self._cancellers) for guard in GUARDS]
        async with AsyncExitStack() as stack:
            ears = [await stack.enter_async_context(one.open()) for one in listeners]
            for one, ear in zip(listeners, ears, strict=True):
                with one.own.speaking(list) as answer:
                    async for _ in one.own.rehearsed(_frames(given), answer):
                        pass
                    for frame in _microphone(sound):
                        first = round(frame.at * SPEECH_RATE)
                        piece = given[first : first + 3 * BLOCK]
                        # A device takes what it is given some time before it is heard.
                        one.played.add(piece, frame.at)
                        one.now, one.shown = frame.captured, max(1e-3, frame.end)
                        _, detected = await ear.take(frame)
                        if detected is not None:
                            found[one.guard].append((detected.phrase, frame.end))
        return found

    async def _plain(self, sound: Any) -> list[tuple[str, float]]:
        """The wake words in a sound."""
        async with self._wake.open() as stream:
            found = [await stream.feed(frame) for frame in _microphone(sound)]
        return [(one.phrase, one.at) for one in found if one is not None]

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


def _whole(sound: Wave) -> Any:
    return np.clip(sound, -32768, 32767).astype(np.int16)


async def _frames(given: Any) -> AsyncGenerator[VideoFrame, None]:
    for index in range(len(given) // FRAME_SAMPLES):
        yield VideoFrame(None, given[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES], index / FPS)


def _microphone(sound: Any) -> Iterator[AudioFrame]:
    for index in range(len(sound) // BLOCK):
        at = index * BLOCK / LISTEN_RATE
        yield AudioFrame(sound[index * BLOCK : (index + 1) * BLOCK], LISTEN_RATE, at, at + BLOCK / LISTEN_RATE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this bench's options to those of ``bench``."""
    parser.add_argument("--minutes", type=float, default=60, help="echo: how long our own voice tempts it")
    parser.add_argument("--person", action="append", default=[], metavar="PHRASE=WAV",
                        help="echo: one more who interrupts: a recording of alexa, okay_nabu, hey_jarvis")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    began = time.monotonic()
    figures = asyncio.run(_measured(args.minutes, [person.partition("=") for person in args.person]))
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


async def _measured(minutes: float, recorded: list[tuple[str, str, str]]) -> dict[str, Any]:
    async with open_foundation(from_mapping({"name": "bench"})) as foundation, asyncio.TaskGroup() as tasks:
        async with AsyncExitStack() as stack:
            opener = Opener(stack, tasks, foundation, from_mapping({"name": "bench"}))
            wake = await opener.open(built_in("microwakeword", "wake_word"))
            cancellers = [await opener.open(built_in(name, "echo")) for name in ("webrtc", "linear")]
            bench = Bench(wake, cancellers, await stack.enter_async_context(voices()))
            await bench.warm()
            people = await bench.people(recorded)
            bar, wanted, passed = Bar(), minutes * 60, 0.0
            for number in itertools.count():
                if passed >= wanted:
                    break
                passed += await bench.tempt(number)
                bar.show(min(500, round(500 * passed / wanted)), 1000)
            rounds = max(1, round(minutes / 30))
            cases = [(n, p, sound, db) for n in range(rounds) for p, sound in people for db in LEVELS]
            for index, (number, phrase, sound, db) in enumerate(cases):
                await bench.interrupt(7 * number + index, phrase, sound, db)
                bar.show(500 + 500 * (index + 1) // len(cases), 1000)
            bar.end()
            return bench.tally.figures()
