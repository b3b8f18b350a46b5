"""The watch over a microphone: whether it is there and hears, told once when it fails and once when it is back."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import cast

from avatard.api.errors import AvatardError, NotReady
from avatard.api.flow import AudioFrame
from avatard.api.news import News, Problem
from avatard.api.stages import Lossy, Microphone, Watched
from avatard.talk.deafness import Deafness
from avatard.talk.loudness import Loudness

log = logging.getLogger(__name__)

LOOK = 1.5
"""Seconds between looks for a microphone that is not there: it is to be heard 5 s after it was plugged in."""
RETRY_FIRST, RETRY_LONGEST = 1.0, 60.0
"""Seconds between attempts to listen where an engine fails; doubled each time."""
STILL = 5.0
"""Seconds without a frame after which an open device counts as gone, where it does not say so itself."""
AGAIN = (0.0, 30.0, 60.0, 300.0, 1800.0)
"""Seconds from one opening of a deaf microphone to the next; the last one repeats."""
LOSSES, WITHIN = 20, 60.0
"""So many losses of sound within so many seconds are told."""

WHERE, LEVEL, OVERRUNS = "microphone", "microphone.level", "microphone.overruns"


class Absent(NotReady):
    """The device is absent, busy or gone; it is looked for every few seconds."""


class Deaf(NotReady):
    """It is to be opened again at once."""


class Watch:
    """Over one place's microphone."""

    def __init__(
        self, microphone: Microphone, deaf: Callable[[bool], None], news: News,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Watch.

        Args:
            microphone: watched for zeros and repetitions where it is a device that asks for it.
            deaf: told when nothing can be heard, and when something can again.
            news: of its trouble.
            clock: monotonic seconds.
        """
        self._microphone, self._deaf, self._news, self._clock = microphone, deaf, news, clock
        self._lossy = microphone if isinstance(microphone, Lossy) else None
        self._watched = isinstance(microphone, Watched) and microphone.watched
        self._told: dict[str, str] = {}
        """Problems, and what was said of them."""
        self._deafness, self._loudness = Deafness(), Loudness()
        self._tries, self._next = 0, 0.0
        self._first = True
        self._losses, self._since = 0, 0.0
        self._retry, self._opened = RETRY_FIRST, 0.0

    async def frames(self, steady: bool) -> AsyncIterator[AudioFrame]:
        """The microphone's frames; a ``steady`` one that gives none for a while counts as gone.

        Raises:
            Absent: it is not there.
        """
        self._first, self._opened = True, self._clock()
        self._deafness.opened()
        source = cast("AsyncGenerator[AudioFrame, None]", self._microphone.frames())
        limit: float | None = None  # opening takes its time
        async with aclosing(source) as frames:
            while True:
                try:
                    async with asyncio.timeout(limit):
                        frame = await anext(frames)
                except StopAsyncIteration:
                    return
                except TimeoutError as late:
                    raise Absent(f"no sound for {STILL:.0f} s; unplugged?") from late
                except NotReady as err:
                    raise Absent(str(err)) from err
                limit = STILL if steady and self._microphone.live else None
                yield frame

    def took(self, frame: AudioFrame, hearing: bool) -> None:
        """Look at a frame; ``hearing``: a request is being heard, which nothing may break.

        Raises:
            Deaf: it hears nothing, and opening it again may help.
        """
        fault = ""
        if self._watched:
            fault = self._deafness.feed(frame)
            self._tell(LEVEL, "" if fault else self._loudness.feed(frame))
        self._count()
        first, self._first = self._first, False
        if not fault:
            if first or WHERE in self._told:
                self._well()
            return
        self._lost(fault)
        now = self._clock()
        if not hearing and (self._tries == 0 or now >= self._next):
            self._tries += 1
            self._next = now + AGAIN[min(self._tries, len(AGAIN) - 1)]
            raise Deaf(fault)

    def pause(self, err: AvatardError) -> float:
        """It cannot be heard; return how many seconds to wait before it is opened again."""
        if isinstance(err, Deaf):
            return 0.0
        self._lost(str(err))
        if isinstance(err, Absent):
            return LOOK
        if self._clock() - self._opened > RETRY_LONGEST:
            self._retry = RETRY_FIRST
        retry, self._retry = self._retry, min(RETRY_LONGEST, self._retry * 2)
        return retry * random.uniform(0.8, 1.2)

    def _lost(self, why: str) -> None:
        if WHERE not in self._told:
            log.warning("microphone: %s; trying again", why)
            self._told[WHERE] = why
            self._deaf(True)
            self._news.publish(Problem(WHERE, why))
        elif self._told[WHERE] != why:
            log.debug("microphone: %s", why)

    def rest(self) -> None:
        """It is closed: nothing is known of it, and nothing is wrong."""
        if WHERE in self._told:
            self._well()

    def _well(self) -> None:
        self._told.pop(WHERE, None)
        self._tries = 0
        self._deaf(False)
        self._news.publish(Problem(WHERE, "", over=True))

    def _count(self) -> None:
        if self._lossy is None:
            return
        now = self._clock()
        if now >= self._since + WITHIN:
            if self._lossy.dropped <= self._losses:
                self._tell(OVERRUNS, "")
            self._losses, self._since = self._lossy.dropped, now
        elif self._lossy.dropped >= self._losses + LOSSES:
            self._tell(OVERRUNS, f"{LOSSES} pieces of sound were lost within a minute: the machine is too busy")

    def _tell(self, where: str, what: str) -> None:
        if bool(what) == (where in self._told):
            return
        if what:
            log.warning("%s: %s", where, what)
            self._told[where] = what
        else:
            del self._told[where]
        self._news.publish(Problem(where, what, over=not what))
