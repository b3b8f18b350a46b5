"""One turn while it runs: heard, understood, answered, reported."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

from avatard.api.errors import NotReady, OutOfMemory, StageFailed
from avatard.api.flow import AudioFrame, Exchange, ReplyToken, SessionView, Transcript
from avatard.api.news import News, Problem, State, Transcribed, TurnFinished, TurnReport
from avatard.api.stages import Responder
from avatard.talk.ears import Ears, Heard
from avatard.talk.phrasebook import ENGLISH, Phrases
from avatard.talk.requests import Request
from avatard.talk.sessions import Sessions
from avatard.talk.sounds import ring_chime, wake_chime
from avatard.talk.timeline import Timeline
from avatard.talk.turn import Answer, tokens_of
from avatard.talk.voice import Voice

log = logging.getLogger(__name__)

RINGS, RING_PAUSE = 200, 2.0
"""How often a timer rings where nobody stops it (10 minutes), and seconds between."""
SAID_EVERY = 10
"""Rings after which it says again which timer it is."""

Keep = Callable[[TurnReport, list[AudioFrame]], None]
"""Takes a spoken turn and its sound, from the wake word on, to be kept; never waits, never fails."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How the place behaves; from the core's settings."""

    language: str = "en"
    wake_chime: bool = True
    ring_chime: bool = True
    max_queue: int = 16
    phrases: Phrases = ENGLISH
    follow_up: Literal["never", "question", "always"] = "never"
    """After which answers to a person it listens again without a wake word."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a place answers with."""

    ears: Ears | None
    responders: list[tuple[str, Responder]]
    voice: Voice
    sessions: Sessions
    news: News
    manners: Manners
    ailing: set[str] = field(default_factory=set)
    """Responders that failed when they were last asked."""
    keep: Keep | None = None


class Stage(Protocol):
    """Where the turn takes place."""

    @property
    def volume(self) -> int:
        """The usual loudness, 0–100."""

    def enter(self, state: State) -> None:
        """Be in this state from now on."""

    def alive(self) -> None:
        """The turn goes on."""


class Exchanging:
    """One turn while it runs: what was heard, what was answered, and its report."""

    def __init__(self, means: Means, stage: Stage, request: Request) -> None:
        """Begin now."""
        self.request = request
        self.interrupted = False
        self.error = ""
        self._means, self._stage = means, stage
        self._timeline = Timeline()
        self._heard = request.text if request.kind == "ask" else ""
        self._answer: Answer | None = None
        self._speech_end: float | None = None
        self._silent = False

    @property
    def invites(self) -> bool:
        """Whether the person who was answered may go on speaking without a wake word."""
        if self.request.kind != "hear" or self.interrupted or self._answer is None or not self._answer.complete:
            return False
        manners = self._means.manners
        return manners.follow_up == "always" or (manners.follow_up == "question" and self._answer.asks)

    async def run(self) -> None:
        """Go through the turn."""
        kind = self.request.kind
        if kind == "hear":
            heard = await self._hear()
            self._silent = heard.transcript is None
            if heard.transcript is not None:
                await self._reply(heard.transcript)
        elif kind == "ask":
            await self._reply(Transcript(self.request.text, self.request.language))
        elif kind == "say":
            await self._say(tokens_of(self.request.text))
        else:
            await self._ring()

    async def _hear(self) -> Heard:
        means, request = self._means, self.request
        assert request.hearing is not None and means.ears is not None
        self._stage.enter("listening")
        sound = wake_chime() if means.manners.wake_chime else None
        if sound is not None:
            await means.voice.displays.chime(sound)
        begins = request.wake.at if request.wake else None
        heard = await means.ears.hear(
            request.hearing, begins, means.manners.language, len(sound) / 48_000 if sound is not None else 0.0
        )
        if heard.transcript is not None and means.voice.own.repeated(heard.transcript.text, heard.speech_end_clock):
            log.info("heard, and said by ourselves: %s", heard.transcript.text)
            heard = Heard(None)
        if heard.transcript is not None:
            self._stage.enter("processing")
            self._timeline = Timeline(heard.speech_end_clock, "speech_end")
            self._timeline.mark("transcript")
            self._speech_end, self._heard = heard.speech_end, heard.transcript.text
            means.news.publish(Transcribed(self._heard))
        return heard

    async def _reply(self, heard: Transcript) -> None:
        means = self._means
        self._stage.enter("processing")
        async with means.sessions.using(self.request.session) as session:
            try:
                await self._say(self._answered(heard, session.view(heard.language)), means.manners.phrases.thinking)
            finally:
                if self._answer is not None and heard.text:
                    session.remember(Exchange(heard.text, self._answer.said, self._answer.unsaid))

    async def _answered(self, heard: Transcript, session: SessionView) -> AsyncGenerator[ReplyToken, None]:
        """The reply of the first who understands; one who fails is left out, unless it had begun."""
        phrases = self._means.manners.phrases
        apology, begun = phrases.not_understood, False
        for name, responder in self._means.responders if heard.text else ():
            begun = False
            try:
                tokens = await responder.reply(heard, session)
                if tokens is None:
                    continue
                async with aclosing(cast("AsyncGenerator[ReplyToken, None]", tokens)):
                    async for token in tokens:
                        begun = True
                        yield token
                self._well(name)
                self.error = ""
                return
            except (NotReady, StageFailed, OutOfMemory) as err:
                log.warning("conversation: %s: %s", name, err)
                self._means.ailing.add(name)
                self._means.news.publish(Problem(f"conversation.{name}", str(err)))
                apology, self.error = phrases.failed, str(err)
                if begun:
                    break
        # On a line of its own: it is no part of the sentence that broke off.
        yield ReplyToken(f"\n{apology}" if begun else apology)

    def _well(self, name: str) -> None:
        if name in self._means.ailing:
            self._means.ailing.discard(name)
            self._means.news.publish(Problem(f"conversation.{name}", "", over=True))

    async def _say(self, tokens: AsyncIterator[ReplyToken], filler: str = "") -> None:
        means, stage, request = self._means, self._stage, self.request
        displays = means.voice.displays
        stage.enter("processing")
        if request.volume is not None:
            displays.set_volume(request.volume)
        self._answer = Answer(
            request.turn, means.voice, means.news, self._timeline, request.language,
            stage.alive, request.text if request.kind in ("say", "ring") else "", filler,
        )  # fmt: skip
        try:
            await self._answer.give(tokens, lambda: stage.enter("responding"))
        finally:
            if request.volume is not None:
                displays.set_volume(stage.volume)

    async def _ring(self) -> None:
        displays = self._means.voice.displays
        for ring in range(RINGS):
            if self._means.manners.ring_chime:
                self._stage.enter("responding")
                await displays.chime(ring_chime())
                await asyncio.sleep(1.0)
            if ring % SAID_EVERY == 0:
                await self._say(tokens_of(self.request.text))
            await asyncio.sleep(RING_PAUSE)

    def report_to(self, news: News) -> None:
        """Publish the turn's report and tell its sender; a wake after which nobody spoke is no turn."""
        request, answer = self.request, self._answer
        if self.interrupted and answer is None and request.kind == "hear":
            self._silent = True
        wake = {"phrase": request.wake.phrase, "score": round(request.wake.score, 3)} if request.wake else None
        at = {"wake": round(request.wake.at, 3)} if request.wake else {}
        if self._speech_end is not None:
            at["speech_end"] = round(self._speech_end, 3)
        report = TurnReport(
            request.turn, request.source, self._heard, answer.said if answer else "", wake, at, self._timeline.ms(),
            {"count": answer.spoken.count if answer else 0, "late": self._means.voice.displays.late, "fps": 25},
            self.interrupted, self.error,
        )  # fmt: skip
        request.end(report)
        if not self._silent:
            news.publish(TurnFinished(report))
            if self._means.keep is not None and request.hearing is not None and request.hearing.kept:
                self._means.keep(report, request.hearing.kept)
