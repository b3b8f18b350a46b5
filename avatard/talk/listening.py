"""Listening: the microphone is open while it may, and the requests in its sound are found by their wake words."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Protocol, cast

from avatard.api.context import Pulse
from avatard.api.errors import NotReady, OutOfMemory, StageFailed
from avatard.api.flow import AudioFrame, WakeDetected
from avatard.api.news import MicrophoneEnded, News, State, WakeHeard
from avatard.api.stages import Lossy, Microphone
from avatard.talk.attention import Attention, Ear
from avatard.talk.stopword import StopWord
from avatard.talk.streams import Hearing
from avatard.talk.watch import Watch

log = logging.getLogger(__name__)

OPEN_LIMIT, FRAME_LIMIT = 30.0, 15.0
"""Seconds in which a device opens and gives its first frame, and a live one the next; longer is stuck."""
GAP = 3.0
"""Seconds in which a live microphone gives nothing, after which a request is over: others may want the recogniser."""


class Room(Protocol):
    """What listening tells the place."""

    async def wake(self, detected: WakeDetected | None, hearing: Hearing) -> None:
        """Somebody wants to speak: end what is going on and hear the request."""

    async def rest(self) -> None:
        """Return when nothing is thought or said."""

    async def stop(self) -> None:
        """End what is going on."""

    @property
    def state(self) -> State:
        """What is going on."""

    @property
    def ringing(self) -> bool:
        """Whether a timer rings."""

    def deaf(self, on: bool) -> None:
        """Nothing can be heard, or something can again."""


class Listening:
    """Keeps the microphone open while it may, and finds the requests in it."""

    def __init__(
        self, microphone: Microphone, attention: Attention, room: Room, news: News, pre_roll: float,
        steady: bool = True, stop: StopWord | None = None, lookback: float | None = None,
    ) -> None:  # fmt: skip
        """Find the requests.

        Args:
            microphone: where the sound comes from.
            attention: finds the wake words in it.
            room: is told.
            news: of what is heard.
            pre_roll: seconds of what was heard before its wake word was complete, which a request is given.
            steady: whether a live microphone that gives nothing is stuck: a device is, a visitor's may well pause.
            stop: hears what ends a ring or an answer without a wake word; None: nothing does.
            lookback: seconds up to the end of a wake word that are kept with its request; None: nothing is kept.
        """
        self._microphone, self._attention, self._room, self._news = microphone, attention, room, news
        self._pre_roll, self._steady, self._stop, self._lookback = pre_roll, steady, stop, lookback
        # A visitor's microphone is his browser's: he is told of the problem, and his visit ends.
        self._watch = Watch(microphone, room.deaf if steady else lambda _: None, news)
        self._recent: deque[AudioFrame] = deque()
        self._hearing: Hearing | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._asked = False
        self._reading: asyncio.Timeout | None = None
        """Runs out when the device is to be closed."""

    @property
    def dropped(self) -> int:
        """How often the microphone has lost sound."""
        return self._microphone.dropped if isinstance(self._microphone, Lossy) else 0

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
            self._watch.rest()
        else:
            self._open.set()

    def listen(self) -> None:
        """Take the next frame for the beginning of a request, without a wake word; a closed device has none."""
        self._asked = self._open.is_set()

    async def run(self, pulse: Pulse) -> None:
        """Listen for ever, or until a recording has ended."""
        while True:
            pulse.beat(math.inf)
            await self._open.wait()
            pulse.beat(OPEN_LIMIT if self._steady else math.inf)
            try:
                if await self._while_open(pulse):
                    pulse.beat(math.inf)
                    self._news.publish(MicrophoneEnded())
                    return
            except (NotReady, StageFailed, OutOfMemory) as err:
                self._forget()  # whoever was being heard is not any more
                pulse.beat(math.inf)
                await asyncio.sleep(self._watch.pause(err) if self._open.is_set() else 0.0)
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
        source = cast("AsyncGenerator[AudioFrame, None]", self._watch.frames(self._steady))
        async with AsyncExitStack() as stack:
            frames = await stack.enter_async_context(aclosing(source))
            ear = await stack.enter_async_context(self._attention.open(self._microphone.live))
            if self._stop is not None:
                stack.push_async_callback(self._stop.rest)
            async for frame in frames:
                if self._open.is_set():
                    self._watch.took(frame, self._room.state == "listening")
                # A recording waits for the answer; a live microphone for nothing.
                pulse.beat(FRAME_LIMIT if self._microphone.live else math.inf)
                await self._take(frame, ear)
                if not self._steady:
                    pulse.beat(math.inf)

    async def _take(self, frame: AudioFrame, ear: Ear) -> None:
        frame, detected = await ear.take(frame)
        self._recent.append(frame)
        while self._recent and frame.end - self._recent[0].end > max(self._pre_roll, self._lookback or 0.0):
            self._recent.popleft()
        if detected is not None:
            self._news.publish(WakeHeard(detected.phrase, detected.score, detected.at))
            await self._begin(detected)
        elif self._asked:
            await self._begin(None)
        elif await self._stopped(ear):
            await self._room.stop()
        elif self._hearing is not None:
            if not self._microphone.live:
                await self._hearing.room()
            self._hearing.put(frame)
        if not self._microphone.live:
            # A recording can wait, a person cannot: so a fast recording is a conversation too.
            await self._room.rest()

    async def _stopped(self, ear: Ear) -> bool:
        if self._stop is None or ear.residual is None or not self._microphone.live:
            return False
        found = await self._stop.take(ear.residual, self._room.state, self._room.ringing)
        if found is not None:
            log.info("stop word: %s (%.2f)", found.phrase, found.score)
        return found is not None

    async def _begin(self, detected: WakeDetected | None) -> None:
        self._asked = False
        self._forget(keep_recent=True)
        now = self._recent[-1].end
        before = [earlier for earlier in self._recent if now - earlier.end > self._pre_roll]
        kept = None if self._lookback is None else list(before) if detected is not None else []
        self._hearing = Hearing(gap=GAP if self._microphone.live else None, kept=kept)
        for earlier in list(self._recent)[len(before) :]:
            self._hearing.put(earlier)
        await self._room.wake(detected, self._hearing)

    def _forget(self, keep_recent: bool = False) -> None:
        if self._hearing is not None:
            self._hearing.end()
            self._hearing = None
        if not keep_recent:
            self._recent.clear()
