"""What every place of the house hears, thinks, speaks and shows with: one set of engines, however many places."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from avatard.api.context import Pulse
from avatard.api.echo import EchoCanceller
from avatard.api.news import News
from avatard.api.stages import (
    LipSyncRenderer,
    Microphone,
    Responder,
    SpeechRecognizer,
    SpeechSynthesizer,
    VideoEncoder,
    VoiceActivityDetector,
    WakeDetector,
)
from avatard.talk.attention import MEMORY, Attention
from avatard.talk.displays import Displays
from avatard.talk.ears import Ears
from avatard.talk.endpoint import ListeningLimits
from avatard.talk.exchanging import Keep, Manners, Means
from avatard.talk.ladder import Ladder
from avatard.talk.listening import Listening
from avatard.talk.orders import Seat
from avatard.talk.ownvoice import OwnVoice
from avatard.talk.phrases import Phrases
from avatard.talk.place import Place
from avatard.talk.ranking import Ranking
from avatard.talk.sessions import ROOM, Sessions
from avatard.talk.stopword import StopWord
from avatard.talk.voice import Voice


@dataclass(frozen=True, slots=True)
class Perception:
    """What a house that listens hears with; each source has streams of its own in them."""

    wake: WakeDetector
    vad: VoiceActivityDetector
    stt: Ranking[SpeechRecognizer]
    limits: ListeningLimits
    pre_roll: float
    """Seconds"""
    echo: tuple[EchoCanceller, ...] = ()
    """Take our own voice out of the room's microphone; requests are heard through the first."""
    half_duplex: bool = False
    stop: WakeDetector | None = None
    """Hears what stops it without a wake word."""
    stop_always: bool = False
    """Whether it also listens while it speaks, not only while a timer rings."""


@dataclass(frozen=True, slots=True)
class Faculties:
    """The engines; a place is made of them and of its own displays, news and microphone."""

    hearing: Perception | None
    responders: list[tuple[str, Responder]]
    tts: Ranking[SpeechSynthesizer]
    render: Ranking[LipSyncRenderer]
    ladder: Ladder
    unseen: LipSyncRenderer
    encoder: Ranking[VideoEncoder]
    phrases: Phrases
    sessions: Sessions
    manners: Manners
    longest: float
    """Seconds of speech in one reply."""
    max_text: int
    """Characters in a text to say or ask."""
    keep: Keep | None = None
    """Keeps the room's spoken turns; a visitor's are his own."""

    def seat(
        self, displays: Displays, microphone: Microphone | None, news: News,
        start: Callable[..., asyncio.Task[None]], pulse: Pulse, visitor: str = "", session: str = ROOM,
    ) -> Seat:  # fmt: skip
        """Make a place.

        Args:
            displays: where it shows and sounds.
            microphone: None, or where nothing listens: written questions only.
            news: of what happens in it.
            start: runs a turn as a task.
            pulse: of its turns.
            visitor: whose it is; empty: the room.
            session: of who is heard in it.
        """
        hearing = self.hearing
        ears = None if hearing is None else Ears(hearing.vad, hearing.stt, hearing.limits, news)
        own = OwnVoice(lambda: displays.shown)
        voice = Voice(self.tts, self.render, self.ladder, self.unseen, displays, self.phrases, own, self.longest)
        keep = None if visitor else self.keep
        means = Means(ears, self.responders, voice, self.sessions, news, self.manners, keep=keep)
        place = Place(means, start, pulse, visitor or "microphone", session)
        listening = None
        if hearing is not None and microphone is not None:
            attention = Attention(hearing.wake, own, displays.played, hearing.echo, news, hearing.half_duplex)
            stop = None if hearing.stop is None else StopWord(hearing.stop, own, news, hearing.stop_always)
            lookback = None if keep is None else MEMORY
            listening = Listening(
                microphone, attention, place, news, hearing.pre_roll, not visitor, stop, lookback
            )
            place.invite = listening.listen
        return Seat(place, listening, self.manners.language, self.max_text)
