"""``avatard bench listen``: how often a household wakes it for nothing, and how often a phrase is missed."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from avatard.api.errors import ConfigError, unwrapped
from avatard.api.flow import LISTEN_RATE, Samples, WakeDetected
from avatard.api.stages import WakeDetector, WakeStream
from avatard.cli.listen_people import PLACES, Stage, people, recorded
from avatard.cli.listen_scenes import SECONDS, Household
from avatard.cli.listen_tally import Tally
from avatard.cli.progress import Bar
from avatard.runtime.config import Configuration, PlatformEntry, from_mapping, load
from avatard.runtime.foundation import open_foundation
from avatard.runtime.plugin import Opener
from avatard.runtime.voices import voices
from avatard.talk.recorded import FRAME, frames_of

EPILOG = """example:
  avatard bench listen --hours 10            the default phrases
  avatard bench listen --seed 2 --json       another household, other rooms; figures as JSON
  avatard bench listen -c avatard.yaml       the detector, phrases and thresholds of a configuration

The household talks, watches television, cooks and plays music; its voices are espeak-ng's in many languages, and no
people. One English sentence in twenty has something like a wake phrase in it. Each phrase is then said by voices that
did not talk in it, in five places. The same seed gives the same household.
"""


class Listener:
    """A wake detector on one long sound."""

    def __init__(self, stream: WakeStream) -> None:
        """Nothing was heard yet."""
        self._stream = stream
        self._heard = 0
        """Frames"""
        self.seconds = self.cpu_seconds = 0.0

    async def hear(self, sound: Samples) -> list[WakeDetected]:
        """Hear on; the wake words in this sound, by its own clock."""
        found, origin = [], self._heard * FRAME / LISTEN_RATE
        began = time.process_time()
        for frame in frames_of(sound, self._heard):
            one = await self._stream.feed(frame)
            if one is not None:
                found.append(WakeDetected(one.phrase, one.score, frame.end - origin))
            self._heard += 1
        self.cpu_seconds += time.process_time() - began
        self.seconds += len(sound) / LISTEN_RATE
        return found


async def listen(wake: WakeDetector, phrases: Sequence[str], args: argparse.Namespace) -> dict[str, Any]:
    """Let a detector hear the household, then those who call it."""
    tally = Tally(phrases)
    async with AsyncExitStack() as stack:
        speaking = await stack.enter_async_context(voices())
        household = Household(speaking, args.seed)
        callers = [recorded(given, phrases) for given in args.person]
        callers += await people(speaking, phrases, args.voices, args.seed)
        attempts = [(person, place) for person in callers for place in PLACES]
        minutes = max(1, round(args.hours * 3600 / SECONDS))
        bar, count = Bar(), minutes + len(attempts) // 10
        listener = Listener(await stack.enter_async_context(wake.open()))
        for minute in range(minutes):
            scene = await household.scene(minute)
            tally.heard(scene, await listener.hear(scene.sound))
            bar.show(minute + 1, count)
        where = Stage(household, args.seed)
        for number, (person, place) in enumerate(attempts):
            attempt = await where.attempt(person, place, number)
            tally.attempted(attempt, await listener.hear(attempt.sound))
            bar.show(minutes + number // 10, count)
        bar.end()
    share = 100 * listener.cpu_seconds / listener.seconds
    return tally.figures() | {"cpu_percent_of_a_core": round(share, 2)}


def phrases_of(entry: PlatformEntry) -> tuple[str, ...]:
    """The names by which a wake detector tells its phrases."""
    given = getattr(entry.options, "phrases", ())
    named = [one if isinstance(one, str) else one.name or Path(one.file).stem for one in given]
    if not named:
        raise ConfigError(f"{entry.where}: wake_word: {entry.platform} names no phrases; nothing can be measured")
    return tuple(named)


def positive(text: str) -> float:
    """A number above 0.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this bench's options."""
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="whose wake_word; default: the built-in one")
    parser.add_argument("--hours", type=positive, default=10, help="of the household's sound (10: some minutes' work)")
    parser.add_argument("--seed", type=int, default=1, help="another one, another household")
    parser.add_argument("--voices", type=int, default=48, help="so many synthetic voices say each phrase (at most 84)")
    parser.add_argument("--person", action="append", default=[], metavar="PHRASE=WAV",
                        help="one more who says it: a recording of 16 kHz, mono, 16 bits")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    began = time.monotonic()
    configuration = load(args.config) if args.config else from_mapping({"name": "bench"})
    with unwrapped():
        figures = asyncio.run(_measured(configuration, args))
    figures["times_real_time"] = round(figures["hours"] * 3600 / (time.monotonic() - began), 1)
    print(json.dumps(figures)) if args.json else _print(figures)
    return 0


async def _measured(configuration: Configuration, args: argparse.Namespace) -> dict[str, Any]:
    entries = configuration.stages["wake_word"]
    if not entries:
        raise ConfigError("wake_word: there is none in this configuration; nothing can be measured")
    async with open_foundation(from_mapping({"name": "bench"})) as foundation, asyncio.TaskGroup() as tasks:
        async with AsyncExitStack() as stack:
            opener = Opener(stack, tasks, foundation, configuration)
            wake = await opener.open(entries[0])
            figures = await listen(wake, phrases_of(entries[0]), args)
    return figures | {"seed": args.seed, "voices": args.voices, "detector": entries[0].platform}


def _print(figures: dict[str, Any]) -> None:
    print(f"{figures['hours']} hours, {figures['detector']}, {figures['cpu_percent_of_a_core']} % of a core, "
          f"{figures['times_real_time']} times as fast as they last")  # fmt: skip
    for phrase, rate in figures["false_wakes_per_hour_by_phrase"].items():
        places = ", ".join(f"{n} {p}" for n, p in figures["missed_percent_by_place"][phrase].items())
        voices_, missed = figures["missed_percent_by_voice"][phrase], figures["missed_percent"][phrase]
        print(f"{phrase}: false wakes {rate} an hour; missed {missed} % of {figures['tried'][phrase]} ({places})")
        print("  by voice: " + ", ".join(f"{voice} {percent:.0f}" for voice, percent in voices_.items()))
    for one in figures["false_wakes"]:
        where = f"{one['hour']:.2f} h by {one['phrase']} ({one['score']}) in {one['scene']}"
        print(f"woken at {where}: {' | '.join(one['said'])}")
