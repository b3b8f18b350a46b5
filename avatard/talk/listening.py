"""Listening: frames → wake word → voice activity → streaming recognition."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, cast

from avatard.api.context import Pulse
from avatard.api.errors import NotReady, OutOfMemory, StageFailed
from avatard.api.flow import AudioFrame, Transcript, WakeDetected
from avatard.api.news import HeardPartly, MicrophoneEnded, News, Problem, WakeHeard
from avatard.api.stages import (
    Microphone,
    RecognizerStream,
    SpeechRecognizer,
    VoiceActivityDetector,
)
from avatard.talk.attention import Attention, Ear
from avatard.talk.endpoint import Endpoint, ListeningLimits
from avatard.talk.ranking import Ranking
from avatard.talk.streams import Hearing

log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_LONGEST = 1.0, 60.0
"""Seconds between attempts to open a microphone that is not there; doubled each time."""
OPEN_LIMIT, FRAME_LIMIT = 30.0, 15.0
"""Seconds in which a device opens and gives its first frame, and a live one the next; longer is stuck."""
GAP = 3.0
"""Seconds in which a live microphone gives nothing, after which a request is over: others may want the recogniser."""
CHIME_TAIL = 0.15
"""Seconds that a room rings on after our own beep."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came out of one request."""

    transcript: Transcript | None
    """None where nobody spoke."""
    speech_end: float = 0.0
    """Position in the microphone's stream, seconds."""
    speech_end_clock: float = 0.0
    """Monotonic seconds"""


class Room(Protocol):
    """What listening tells the place."""

    async def wake(self, detected: WakeDetected | None, hearing: Hearing) -> None:
        """Somebody wants to speak: end what is going on and hear the request."""

    async def rest(self) -> None:
        """Return when nothing is thought or said."""


class Ears:
    """The engines that turn one request into text."""

    def __init__(
        self, vad: VoiceActivityDetector, stt: Ranking[SpeechRecognizer], limits: ListeningLimits, news: News,
    ) -> None:  # fmt: skip
        """Use these engines for every request."""
        self._vad, self._stt, self._limits, self._news = vad, stt, limits, news

    async def hear(self, hearing: Hearing, begins: float | None, language: str, chime_seconds: float) -> Heard:
        """Follow a request to its end.

        Args:
            hearing: its frames, which may begin a little before ``begins``.
            begins: where the wake phrase was completed, seconds in the microphone's stream; None where there was none.
            chime_seconds: how long our beep sounds from there on: it is never heard as speech.
        """
        endpoint: Endpoint | None = None
        async with self._vad.open() as voice, self._recognizing(language) as words:
            last: AudioFrame | None = None
            async for frame in hearing:
                last = frame
                endpoint = endpoint or self._endpoint(frame.at if begins is None else begins, chime_seconds)
                probability = await voice.feed(frame)
                if partial := await words.feed(frame):
                    self._news.publish(HeardPartly(partial.text))
                    endpoint.complete = partial.complete
                verdict = endpoint.feed(frame, probability)
                if verdict == "nobody":
                    return Heard(None)
                if verdict:
                    break
            if last is None or endpoint is None or endpoint.speech_end is None:
                return Heard(None)
            transcript = await words.finish()
            return Heard(transcript, endpoint.speech_end, last.captured - (last.end - endpoint.speech_end))

    def _endpoint(self, begins: float, chime_seconds: float) -> Endpoint:
        endpoint = Endpoint(self._limits, begins)
        if chime_seconds:
            endpoint.mask(begins + chime_seconds + CHIME_TAIL)
        return endpoint

    @asynccontextmanager
    async def _recognizing(self, language: str) -> AsyncIterator[RecognizerStream]:
        """Open the recogniser that serves; where it finds no room in memory, the next one."""
        async with AsyncExitStack() as stack:
            words: RecognizerStream | None = None
            while words is None:
                recognizer = await self._stt.engine()
                try:
                    words = await stack.enter_async_context(recognizer.open(language))
                except OutOfMemory as err:
                    if not self._stt.give_up(recognizer, err):
                        raise
            yield words


class Listening:
    """Keeps the microphone open while it may, and finds the requests in it."""

    def __init__(
        self, microphone: Microphone, attention: Attention, room: Room, news: News, pre_roll: float,
        steady: bool = True,
    ) -> None:  # fmt: skip
        """Find the requests.

        Args:
            microphone: where the sound comes from.
            attention: finds the wake words in it.
            room: is told.
            news: of what is heard.
            pre_roll: seconds of what was heard before its wake word was complete, which a request is given.
            steady: whether a live microphone that gives nothing is stuck: a device is, a visitor's may well pause.
        """
        self._microphone, self._attention, self._room, self._news = microphone, attention, room, news
        self._pre_roll, self._steady = pre_roll, steady
        self._recent: deque[AudioFrame] = deque()
        self._hearing: Hearing | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._asked = False
        self._reading: asyncio.Timeout | None = None
        """Runs out when the device is to be closed."""

    def mute(self, on: bool) -> None:
        """Close the device, or open it again."""
        if on:
            self._open.clear()
            self._forget()
            self._asked = False
            if self._reading is not None:
                # At once: a device that gives nothing, or a frame that is being looked at, keeps it open no longer.
                self._reading.reschedule(asyncio.get_running_loop().time())
                self._reading = None
        else:
            self._open.set()

    def listen(self) -> None:
        """Take the next frame for the beginning of a request, without a wake word; a closed device has none."""
        self._asked = self._open.is_set()

    async def run(self, pulse: Pulse) -> None:
        """Listen for ever, or until a recording has ended."""
        retry = RETRY_FIRST
        while True:
            pulse.beat(math.inf)
            await self._open.wait()
            pulse.beat(OPEN_LIMIT if self._steady else math.inf)
            began = time.monotonic()
            try:
                if await self._while_open(pulse):
                    pulse.beat(math.inf)
                    self._news.publish(MicrophoneEnded())
                    return
            except (NotReady, StageFailed, OutOfMemory) as err:
                if time.monotonic() - began > RETRY_LONGEST:
                    retry = RETRY_FIRST
                if retry == RETRY_FIRST:
                    self._news.publish(Problem("microphone", str(err)))
                    log.warning("microphone: %s; trying again", err)
                pulse.beat(math.inf)
                await asyncio.sleep(retry * random.uniform(0.8, 1.2))
                retry = min(RETRY_LONGEST, retry * 2)
            self._forget()

    async def _while_open(self, pulse: Pulse) -> bool:
        """Read until muted (False) or until the recording ends (True)."""
        reading = asyncio.timeout(None)
        try:
            async with reading as self._reading:
                await self._until_ended(pulse)
                return True
        except TimeoutError:
            if not reading.expired():
                raise
            return False
        finally:
            self._reading = None

    async def _until_ended(self, pulse: Pulse) -> None:
        told = False
        source = cast("AsyncGenerator[AudioFrame, None]", self._microphone.frames())
        async with aclosing(source) as frames, self._attention.open(self._microphone.live) as ear:
            async for frame in frames:
                if not told:
                    told = True
                    self._news.publish(Problem("microphone", "", over=True))
                # A recording waits for the answer; a live microphone for nothing.
                pulse.beat(FRAME_LIMIT if self._microphone.live else math.inf)
                await self._take(frame, ear)
                if not self._steady:
                    pulse.beat(math.inf)

    async def _take(self, frame: AudioFrame, ear: Ear) -> None:
        frame, detected = await ear.take(frame)
        self._recent.append(frame)
        while self._recent and frame.end - self._recent[0].end > self._pre_roll:
            self._recent.popleft()
        if detected is not None:
            self._news.publish(WakeHeard(detected.phrase, detected.score, detected.at))
            await self._begin(detected)
        elif self._asked:
            await self._begin(None)
        elif self._hearing is not None:
            if not self._microphone.live:
                await self._hearing.room()
            self._hearing.put(frame)
        if not self._microphone.live:
            # A recording can wait, a person cannot: so a fast recording is a conversation too.
            await self._room.rest()

    async def _begin(self, detected: WakeDetected | None) -> None:
        self._asked = False
        self._forget(keep_recent=True)
        self._hearing = Hearing(gap=GAP if self._microphone.live else None)
        for earlier in self._recent:
            self._hearing.put(earlier)
        await self._room.wake(detected, self._hearing)

    def _forget(self, keep_recent: bool = False) -> None:
        if self._hearing is not None:
            self._hearing.end()
            self._hearing = None
        if not keep_recent:
            self._recent.clear()
