"""The whole daemon as one context: everything opens on entering and closes on leaving."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from avatard.api.errors import unwrapped
from avatard.api.news import Problem
from avatard.api.stages import Known, LipSyncRenderer, Microphone, SpeechRecognizer, SpeechSynthesizer, VideoEncoder
from avatard.runtime.config import Configuration, PlatformEntry, built_in
from avatard.runtime.feed import Feed
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.lazy import LazyEncoder
from avatard.runtime.plugin import Opener
from avatard.runtime.selftest import SelfTest, absent, phrases_of
from avatard.runtime.timing import lag_of
from avatard.talk.assistant import Door, Household
from avatard.talk.displays import Displays
from avatard.talk.endpoint import ListeningLimits
from avatard.talk.exchanging import Keep, Manners
from avatard.talk.faculties import Faculties, Perception
from avatard.talk.ladder import Ladder
from avatard.talk.listening import Listening
from avatard.talk.phrasebook import phrases_in
from avatard.talk.phrases import Phrases
from avatard.talk.place import Place
from avatard.talk.ranking import Ranking

LISTENING_LIMIT = 5.0
"""Seconds that listening may take to end."""


@dataclass(frozen=True, slots=True)
class House:
    """A running daemon."""

    configuration: Configuration
    door: Door
    place: Place
    listening: Listening | None
    feed: Feed
    engines: Callable[[], dict[str, str]]
    faculties: Faculties


@asynccontextmanager
async def open_house(configuration: Configuration) -> AsyncIterator[House]:
    """Open every stage of the configuration and start listening; bridges are the daemon's.

    Raises:
        ConfigError: the user must change something.
        NotReady, StageFailed, OutOfMemory: of the last engine in a ranking, when none can be had.
    """
    with unwrapped():
        async with open_foundation(configuration) as foundation, furnished(configuration, foundation) as house:
            yield house


@asynccontextmanager
async def furnished(
    configuration: Configuration, foundation: Foundation, keep: Keep | None = None
) -> AsyncIterator[House]:
    """Open the stages on a foundation that may be older, and outlive them; ``keep`` takes the room's spoken turns."""
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        opener = Opener(stack, tasks, foundation, configuration)
        async with foundation.governor.opening(configuration.core.memory, configuration.memory_place):
            house = await _Builder(configuration, opener, foundation, tasks, keep).build()
        pulse = foundation.life.watch("listening")
        listening = None
        if house.listening is not None:
            listening = tasks.create_task(house.listening.run(pulse), name="listening")
        foundation.visit.receive(house.faculties)
        try:
            yield house
        finally:
            foundation.door.move_out()
            try:
                await foundation.visit.close()
                if listening is not None:
                    # Its engines close next: it must not be at work in them, nor begin another turn.
                    listening.cancel()
                    await asyncio.wait({listening}, timeout=LISTENING_LIMIT)
            finally:
                foundation.life.forget("listening", pulse)
                await house.place.close()


class _Builder:
    """Opens the stages in the order in which they need each other."""

    def __init__(
        self, configuration: Configuration, opener: Opener, foundation: Foundation, tasks: asyncio.TaskGroup,
        keep: Keep | None,
    ) -> None:  # fmt: skip
        self._configuration, self._opener, self._foundation = configuration, opener, foundation
        self._feed, self._tasks, self._keep = foundation.feed, tasks, keep

    async def build(self) -> House:
        core, opener = self._configuration.core, self._opener
        responders = []
        for entry in self._entries("conversation"):
            responder = await opener.open(entry)
            responders.append((entry.platform, responder))
            if grammar := responder.grammar(self._configuration.language):
                opener.grammars.append(grammar)
        opener.wake_phrases = self._wake_phrases()
        encoder: Ranking[VideoEncoder] = self._ranking("encoder")
        if self._entries("encoder"):
            opener.encoder = LazyEncoder(lambda: encoder)
        stt: Ranking[SpeechRecognizer] = self._ranking("stt")
        tts: Ranking[SpeechSynthesizer] = self._ranking("tts")
        render: Ranking[LipSyncRenderer] = self._ranking("render")
        sinks = [(e.platform, await opener.open(e)) for e in self._entries("display")]
        lags = [lag_of(entry.options) for entry in self._entries("display")]
        displays = Displays(sinks, encoder, self._foundation.guests, lags)
        unseen = await opener.open(built_in("none", "render"))
        ladder = Ladder(render, self._feed)
        phrases = opener.kept("phrases", Phrases(core.memory.cache_mb))
        hearing, microphone = await self._ears(stt)
        await tts.engine()
        if displays.pictures:
            await render.engine()
        if displays.encoded:
            await encoder.engine()
        sessions = self._foundation.sessions
        sessions.configure(core.sessions.limit, core.sessions.expire_minutes * 60, core.sessions.history)
        language = self._configuration.language
        manners = Manners(language, core.sounds.wake, core.sounds.ring, core.sessions.max_queue, phrases_in(language),
            core.listening.follow_up)
        faculties = Faculties(
            hearing, responders, tts, render, ladder, unseen, encoder, phrases, sessions, manners,
            core.sessions.max_reply_seconds, core.sessions.max_text, self._keep,
        )  # fmt: skip
        pulse = self._foundation.life.watch("place")
        seat = faculties.seat(displays, microphone, self._feed, self._tasks.create_task, pulse)

        def engines() -> dict[str, str]:
            named = {d: self._entries(d)[0].platform for d in ("wake_word", "vad", "conversation") if self._entries(d)}
            ranked = {r.stage: _called(r) for r in (stt, tts, render, encoder) if r.known}
            return named | ranked | {"render": ladder.name}

        await self._foundation.governor.weigh()
        await self._foundation.door.move_in(Household(seat, engines, tts, render, self._self_test(hearing, seat.place)))
        return House(
            self._configuration, self._foundation.door, seat.place, seat.listening, self._feed, engines, faculties
        )

    def _entries(self, domain: str) -> tuple[PlatformEntry, ...]:
        return self._configuration.stages.get(domain, ())

    def _ranking(self, domain: str) -> Ranking[Any]:
        def opener_of(entry: PlatformEntry) -> Callable[[], Awaitable[Any]]:
            return lambda: self._opener.open(entry)

        candidates = [(entry.platform, opener_of(entry)) for entry in self._entries(domain)]
        problems = self._foundation.door.problems
        for gone in [w for w in problems if w.startswith(f"{domain}.")]:
            if gone not in {f"{domain}.{name}" for name, _ in candidates}:
                self._feed.publish(Problem(gone, "", over=True))
        return self._opener.ranked(Ranking(domain, candidates, self._feed, problems))

    def _wake_phrases(self, usual: bool = False) -> tuple[str, ...]:
        """What wakes it, as it is said; ``usual``: only where the model's own threshold counts."""
        return tuple(name.replace("_", " ") for name in phrases_of(self._entries("wake_word"), usual))

    def _self_test(self, hearing: Perception | None, place: Place) -> Callable[[], Awaitable[dict[str, str]]]:
        """The wake word's test of itself, which is also made once a day."""
        if hearing is None:
            return absent
        test = SelfTest(
            hearing.wake, self._wake_phrases(), self._wake_phrases(usual=True), self._feed,
            self._foundation.paths.state / "wake_word.json", self._foundation.door.problems,
        )  # fmt: skip
        at = self._configuration.core.listening.self_test
        if at is not None:
            daily = self._tasks.create_task(test.daily(at, lambda: place.current is None), name="self test")
            self._opener.stack.callback(daily.cancel)
        return test.test

    async def _ears(self, stt: Ranking[SpeechRecognizer]) -> tuple[Perception | None, Microphone | None]:
        core, opener = self._configuration.core.listening, self._opener
        microphones, wakes, vads = self._entries("microphone"), self._entries("wake_word"), self._entries("vad")
        if not (core.enabled and microphones and wakes and vads and stt.known):
            return None, None
        limits = ListeningLimits(
            core.end_silence_ms / 1000, core.complete_silence_ms / 1000, core.no_speech_seconds, core.max_seconds,
            core.vad_threshold, core.speech_floor_db,
        )  # fmt: skip
        vad = await opener.open(vads[0])
        wake = await opener.open(wakes[0])
        await stt.engine()
        microphone = await opener.open(microphones[0])
        echo = tuple([await opener.open(entry) for entry in self._entries("echo")])
        stops = self._entries("stop_word") if core.stop_word != "off" else ()
        stop = await opener.open(stops[0]) if stops else None
        return Perception(
            wake, vad, stt, limits, core.pre_roll_ms / 1000, echo, core.half_duplex, stop, core.stop_word == "always"
        ), microphone  # fmt: skip


def _called(ranking: Ranking[Any]) -> str:
    serving = ranking.serving
    return (serving.known_as if isinstance(serving, Known) else "") or ranking.name
