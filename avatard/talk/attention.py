"""Attention: one microphone's wake words, with our own voice told apart."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np

from avatard.api.echo import EchoCanceller, EchoStream, Likeness, Rehearsing
from avatard.api.errors import NotReady, OutOfMemory, StageFailed
from avatard.api.flow import AudioFrame, Samples, WakeDetected
from avatard.api.news import News, Problem
from avatard.api.stages import WakeDetector, WakeStream
from avatard.talk.loudness import power
from avatard.talk.ownvoice import OwnVoice
from avatard.talk.played import Played

log = logging.getLogger(__name__)

CLEAN_LIMIT = 2.0
"""Seconds that a frame may take to be cleaned."""
PAUSE = 60.0
"""Seconds after a failure of the canceller before it is asked again."""
MEMORY = 2.0
"""Seconds that a wake detector looks back on, at most."""
REFRACTORY = 1.5
"""Seconds after a wake word in which what another stream finds is the same one."""
REST = 1 / 16
"""Share of the microphone's power that a canceller leaves where a person speaks, at least (-12 dB).

A detector makes whispers as loud as shouts, and finds wake words in what is left of ours: a hundredth or less.
"""
WITHIN = 0.6
"""Seconds over which that is looked at: a wake word's length."""
LEARNS = 1.5
"""Seconds of our sound from which a canceller learns the room: what it leaves until then may be no words of anybody.

AEC3 counts 2.5 s as its beginning (``initial_state_seconds``); a person rarely interrupts the first words.
"""


class Attention:
    """What listening pays heed to."""

    def __init__(
        self, wake: WakeDetector, own: OwnVoice, played: Played | None, cancellers: Sequence[EchoCanceller],
        news: News, half_duplex: bool = False,
    ) -> None:  # fmt: skip
        """Listen for wake words.

        Args:
            wake: finds them.
            own: our voice.
            played: what sounds in the microphone's room; None: nothing that is known.
            cancellers: take it out, each in its own way; requests are heard through the first.
            news: of their trouble.
            half_duplex: hear nothing while we speak.
        """
        self._wake, self._own, self._news = wake, own, news
        self._played, self._cancellers = played, cancellers if played is not None else ()
        self._half_duplex = half_duplex

    @asynccontextmanager
    async def open(self, live: bool) -> AsyncIterator[Ear]:
        """Start on the microphone; a recording (not ``live``) never hears us."""
        async with AsyncExitStack() as stack:
            plain = await stack.enter_async_context(self._wake.open())
            if not live:
                yield Ear(self, plain, [])
                return
            cleaned = []
            for canceller in () if self._half_duplex else self._cancellers:
                echo = await stack.enter_async_context(canceller.open())
                cleaned.append(Cleaned(echo, await stack.enter_async_context(self._wake.open())))
            if isinstance(self._wake, Rehearsing):
                self._own.rehearsal = await stack.enter_async_context(self._wake.rehearse())
            else:
                self._own.rehearsal = Unwary(await stack.enter_async_context(self._wake.open()))
            try:
                yield Ear(self, plain, cleaned)
            finally:
                self._own.rehearsal = None

    def deaf(self, frame: AudioFrame) -> bool:
        """Whether nothing is to be heard in this frame."""
        return self._half_duplex and self._own.sounds(frame)

    def sounds(self, frame: AudioFrame) -> bool:
        """Whether we may be heard in it."""
        if self._played is not None:
            self._played.heard(frame)
        return self._own.sounds(frame)

    def ours(self, detected: WakeDetected, frame: AudioFrame) -> bool:
        """Whether it is we who said that."""
        ours = self._own.wakes(detected.phrase, frame.captured)
        if ours:
            log.info("wake word %s: our own voice", detected.phrase)
        return ours

    def played(self, frame: AudioFrame) -> Samples:
        """What of ours is in the frame."""
        assert self._played is not None
        return self._played.during(frame)

    async def clean(self, frame: AudioFrame, played: Samples, by: Cleaned) -> AudioFrame:
        """Take our voice out of the frame, where that can be done."""
        if time.monotonic() < by.failed_until:
            return frame
        try:
            async with asyncio.timeout(CLEAN_LIMIT):
                cleaned = await by.echo.clean(frame, played)
        except (StageFailed, NotReady, OutOfMemory, TimeoutError) as err:
            what = str(err) or f"not within {CLEAN_LIMIT:.0f} s"
            log.warning("echo: %s; it is not asked for %.0f s", what, PAUSE)
            self._news.publish(Problem("echo", what))
            by.failed_until = time.monotonic() + PAUSE
            return frame
        if by.failed_until:
            by.failed_until = 0.0
            self._news.publish(Problem("echo", "", over=True))
        return cleaned


class Unwary:
    """Our own speech as a detector that cannot rehearse hears anybody's."""

    def __init__(self, wake: WakeStream) -> None:
        """Use this stream."""
        self._wake = wake

    async def feed(self, frame: AudioFrame) -> list[Likeness]:
        """Take the next frame."""
        found = await self._wake.feed(frame)
        return [Likeness(found.phrase, 1.0)] if found else []


@dataclass(slots=True)
class Cleaned:
    """The microphone without our voice, by one canceller, and the wake detector that hears it."""

    echo: EchoStream
    wake: WakeStream
    failed_until: float = 0.0
    """Monotonic seconds"""
    before: float = 0.0
    """Mean square of the microphone's latest sound"""
    after: float = 0.0
    """The same, of what the canceller left of it"""
    learnt: float = 0.0
    """Seconds of our sound since it was silent before, that the canceller has had"""

    async def feed(self, heard: AudioFrame, cleaned: AudioFrame, played: Samples) -> WakeDetected | None:
        """Take a frame as heard, what is left of it, and what was played.

        No wake word counts where next to nothing is left, nor before the canceller knows the room.
        """
        fade = math.exp(-len(heard.samples) / heard.rate / WITHIN)
        self.before, self.after = (
            fade * mean + (1 - fade) * power(frame) for mean, frame in ((self.before, heard), (self.after, cleaned))
        )
        if cleaned is not heard and played.any():
            self.learnt += len(heard.samples) / heard.rate
        found = await self.wake.feed(cleaned)
        return found if self.after >= REST * self.before and self.learnt >= LEARNS else None


class Ear:
    """One open microphone: the wake detector hears it as it is and, while we speak, also without our voice.

    What a canceller leaves of a person's words beside our own may not be enough for the detector, nor may what it
    leaves of ours; each hears some of the phrases that the others miss.
    """

    def __init__(self, attention: Attention, plain: WakeStream, cleaned: Sequence[Cleaned]) -> None:
        """Feed these streams."""
        self._attention, self._plain, self._cleaned = attention, plain, cleaned
        self._sounded = False
        """Whether the detectors of the cleaned sound were fed the frame before."""
        self.residual: AudioFrame | None = None
        """The last frame as the last canceller left it: the gentlest with a person's voice."""
        self._woken = -REFRACTORY
        """When a stream last found one while we spoke, seconds of the microphone's stream."""

    async def take(self, frame: AudioFrame) -> tuple[AudioFrame, WakeDetected | None]:
        """Take the next frame; return it as it is to be heard, and the wake phrase that was completed in it."""
        attention = self._attention
        if attention.deaf(frame):
            frame = replace(frame, samples=np.zeros_like(frame.samples))
        found = [await self._plain.feed(frame)]
        sounds = attention.sounds(frame)
        heard = self.residual = frame
        if sounds and self._cleaned:
            if not self._sounded:
                await self._freshen(frame)
            played = attention.played(frame)
            frames = [await attention.clean(frame, played, by) for by in self._cleaned]
            found += [await by.feed(frame, one, played) for by, one in zip(self._cleaned, frames, strict=True)]
            heard, self.residual = frames[0], frames[-1]
        self._sounded = sounds
        theirs = [one for one in found if one is not None and not (sounds and attention.ours(one, frame))]
        if not theirs or frame.end < self._woken + REFRACTORY:
            return heard, None
        if sounds:
            self._woken = frame.end
        return heard, theirs[0]

    async def _freshen(self, frame: AudioFrame) -> None:
        """Let the detectors of the cleaned sound forget what they heard last: it may be the wake phrase before this."""
        seconds = frame.end - frame.at
        silence = np.zeros_like(frame.samples)
        for by in self._cleaned:
            by.learnt = 0.0
        for back in range(round(MEMORY / seconds), 0, -1):
            quiet = replace(frame, samples=silence, at=frame.at - back * seconds)
            for by in self._cleaned:
                await by.wake.feed(quiet)
