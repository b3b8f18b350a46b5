"""What the doctor's looks share: the configuration, how a part is opened, a voice, and how a failure is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from avatard.api.errors import AvatardError, first_cause, unwrapped
from avatard.api.flow import LISTEN_RATE, AudioFrame, Pixels, Samples, SpokenGrammar
from avatard.api.stages import VideoEncoder
from avatard.cli.findings import Finding, State, Teller
from avatard.runtime.config import Configuration, PlatformEntry
from avatard.runtime.foundation import Foundation
from avatard.runtime.lazy import LazyEncoder
from avatard.runtime.plugin import Opener
from avatard.runtime.selftest import phrases_of
from avatard.runtime.voices import Voices
from avatard.talk.ranking import Ranking
from avatard.talk.recorded import frames_of

GENERAL = "see what is wrong, with file and line:\n  avatard check"

Look = Callable[[], Awaitable[list[Finding]]]


@dataclass
class Examination:
    """One visit to the doctor."""

    configuration: Configuration
    foundation: Foundation
    teller: Teller
    voices: Voices
    busy: bool = False
    """A daemon runs, and holds the devices."""
    grammars: list[SpokenGrammar] = field(default_factory=list)
    """What the responders understand, once they were looked at"""
    speech: Samples | None = None
    """What our own voice said, 48 kHz, once it was looked at"""
    pictures: list[Pixels] = field(default_factory=list)
    """What the renderer drew, once it was looked at"""

    def entries(self, domain: str) -> tuple[PlatformEntry, ...]:
        """The platforms of a domain."""
        return self.configuration.stages.get(domain, ())

    @asynccontextmanager
    async def opened(self, *entries: PlatformEntry) -> AsyncIterator[list[Any]]:
        """Open parts as the daemon does, while the block runs."""
        with unwrapped():
            async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
                opener = Opener(stack, tasks, self.foundation, self.configuration, list(self.grammars))
                opener.wake_phrases = tuple(phrase.replace("_", " ") for phrase in self.phrases)
                opener.encoder = LazyEncoder(lambda: self.encoder(opener)) if self.entries("encoder") else None
                yield [await opener.open(entry) for entry in entries]

    @asynccontextmanager
    async def encoding(self) -> AsyncIterator[Ranking[VideoEncoder]]:
        """The ranking of encoders, each opened when it is asked for."""
        async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
            yield self.encoder(Opener(stack, tasks, self.foundation, self.configuration))

    def encoder(self, opener: Opener) -> Ranking[VideoEncoder]:
        """Who makes streams."""
        def opening(entry: PlatformEntry) -> Callable[[], Awaitable[Any]]:
            return lambda: opener.open(entry)

        candidates = [(entry.platform, opening(entry)) for entry in self.entries("encoder")]
        return Ranking("encoder", candidates, self.foundation.feed)

    @property
    def phrases(self) -> tuple[str, ...]:
        """The names of the wake phrases."""
        return phrases_of(self.entries("wake_word"))

    async def look(self, part: str, limit: float, at: Look) -> None:
        """Look at a part, and tell what was found; whatever happens, the next one can be looked at."""
        async with self.teller.looking(part):
            findings = await _found(part, limit, at)
        for finding in findings:
            self.teller.tell(finding)


async def _found(part: str, limit: float, at: Look) -> list[Finding]:
    try:
        async with asyncio.timeout(limit):
            return await at()
    except TimeoutError:
        return [Finding(part, "failed", f"not done within {limit:.0f} s",
                        "the device or the engine hangs; try once more, and see what it says:\n  avatard run")]
    except Exception as err:  # each part may fail in its own way, and none keeps the others from being looked at
        cause = first_cause(err)
        if isinstance(cause, AvatardError):
            return [failure(part, cause)]
        what = f"{type(cause).__name__}: {cause}"
        return [Finding(part, "failed", what, "this is a fault of the program or of a plugin: please report it")]


def failure(part: str, err: BaseException, command: str = "", state: State = "failed") -> Finding:
    """An error as a row: what it says, and behind its last semicolon what to do; then a command that helps."""
    text = str(err) or type(err).__name__
    what, _, fix = text.rpartition("; ") if "; " in text else (text, "", "")
    if not (fix or command):
        fix = GENERAL
    return Finding(part, state, what, f"{fix}\n{command}".strip("\n"))


def heard_in_quiet(sound: Samples, before: float = 0.5, after: float = 0.8) -> list[AudioFrame]:
    """A recording as a microphone's frames, with near silence around it."""
    rng = np.random.default_rng(5)
    quiet = [rng.integers(-6, 7, int(seconds * LISTEN_RATE)).astype(np.int16) for seconds in (before, after)]
    return list(frames_of(np.concatenate([quiet[0], sound, quiet[1]])))
