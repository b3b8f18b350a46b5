"""The stop word: while it rings or speaks, a person may end that without a wake word."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack

from avatard.api.errors import NotReady, OutOfMemory, StageFailed
from avatard.api.flow import AudioFrame, WakeDetected
from avatard.api.news import News, Problem, State
from avatard.api.stages import WakeDetector, WakeStream
from avatard.talk.ownvoice import OwnVoice

log = logging.getLogger(__name__)

WHERE = "stop_word"


class StopWord:
    """Listens for it on one microphone; costs nothing while nothing is to be stopped."""

    def __init__(self, detector: WakeDetector, own: OwnVoice, news: News, always: bool) -> None:
        """Listen.

        Args:
            detector: hears it.
            own: our voice, which may say it too.
            news: of its trouble.
            always: also while it speaks; else only while a timer rings.
        """
        self._detector, self._own, self._news, self._always = detector, own, news, always
        self._stack = AsyncExitStack()
        self._stream: WakeStream | None = None
        self._failed = self._told = False
        """In what is going on now; and at all."""

    async def take(self, frame: AudioFrame, state: State, ringing: bool) -> WakeDetected | None:
        """Take a frame without our voice; return the stop word that was completed in it, if it counts now."""
        if not (ringing or (self._always and state == "responding")):
            await self.rest()
            return None
        if self._failed:
            return None
        try:
            if self._stream is None:
                # Anew each time: of what was said before, nothing may be left.
                self._stream = await self._stack.enter_async_context(self._detector.open())
            found = await self._stream.feed(frame)
        except (StageFailed, NotReady, OutOfMemory) as err:
            await self._stack.aclose()
            self._stream, self._failed = None, True
            self._tell(str(err))
            return None
        self._tell("")
        if found is not None and self._own.says(found.phrase, frame.captured):
            log.info("stop word %s: our own voice", found.phrase)
            return None
        return found

    async def rest(self) -> None:
        """Nothing is to be stopped."""
        self._failed = False
        if self._stream is not None:
            self._stream = None
            await self._stack.aclose()

    def _tell(self, what: str) -> None:
        if bool(what) == self._told:
            return
        self._told = bool(what)
        if what:
            log.warning("stop word: %s", what)
        self._news.publish(Problem(WHERE, what, over=not what))
