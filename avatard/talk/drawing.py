"""A renderer at work on an answer; whoever shows its frames need not wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import cast

import numpy as np

from avatard.api.errors import ConfigError, NotReady, OutOfMemory, StageFailed
from avatard.api.flow import FPS, FRAME_SAMPLES, Pixels, SpeechAudio, VideoFrame
from avatard.api.stages import LipSyncRenderer
from avatard.talk.blend import FADE, between
from avatard.talk.sound import Sound

AHEAD = 2
"""Frames that wait to be shown; further ahead the place's look-ahead works."""
PREROLL = 8
"""Frames before the one that is due, with which a renderer begins in the midst of speech: its mouth is then in it."""


class Late(Exception):
    """The next frame is not there in time."""


class Drawing:
    """One renderer, from one frame of an answer on."""

    def __init__(
        self, tasks: asyncio.TaskGroup, opening: Callable[[], Awaitable[LipSyncRenderer]], sound: Sound,
        due: Callable[[], int], clock: Callable[[], float],
    ) -> None:  # fmt: skip
        """Open the renderer and begin, as a task of the group, a little before the frame that is then ``due``."""
        self.index = 0
        """Which frame of the answer comes next."""
        self.due = 0
        """Which frame was due when it began to draw."""
        self.open = False
        """Whether it draws."""
        self.starved = False
        """Whether it waits for sound."""
        self._opening, self._sound, self._now_due, self._clock = opening, sound, due, clock
        self._waited = 0.0
        self._ready: asyncio.Queue[tuple[VideoFrame, float] | Exception | None] = asyncio.Queue(AHEAD)
        self._task = tasks.create_task(self._work())

    async def next(self, within: float | None) -> tuple[VideoFrame, float] | None:
        """Return the next frame, and the seconds of work it took; None at the end.

        Raises:
            Late: it was not there within so many seconds.
            StageFailed, NotReady, OutOfMemory, ConfigError: the renderer failed.
        """
        try:
            async with asyncio.timeout(within):
                item = await self._ready.get()
        except TimeoutError as late:
            raise Late from late
        if isinstance(item, Exception):
            raise item
        if item is not None:
            self.index += 1
        return item

    def taken(self) -> tuple[VideoFrame, float] | None:
        """The next frame, where it is there already.

        Raises:
            StageFailed, NotReady, OutOfMemory, ConfigError: the renderer failed, or has ended.
        """
        if self._ready.empty():
            return None
        item = self._ready.get_nowait()
        if isinstance(item, Exception):
            raise item
        if item is None:
            raise NotReady("it has come to its end")
        return item

    def close(self) -> None:
        """Stop drawing."""
        self._task.cancel()

    async def _work(self) -> None:
        try:
            renderer = await self._opening()
            self.due = self._now_due()
            self.index, self.open = max(0, self.due - PREROLL), True
            async with aclosing(between(renderer.render(self._heard(self.index)))) as frames:
                while True:
                    began, self._waited = self._clock(), 0.0
                    try:
                        frame = await anext(frames)
                    except StopAsyncIteration:
                        break
                    await self._ready.put((frame, self._clock() - began - self._waited))
            await self._ready.put(None)
        except (StageFailed, NotReady, OutOfMemory, ConfigError) as err:
            await self._ready.put(err)

    async def _heard(self, frame: int) -> AsyncGenerator[SpeechAudio, None]:
        async with aclosing(self._sound.after(frame)) as pieces:
            while True:
                began, self.starved = self._clock(), True
                try:
                    piece = await anext(pieces)
                except StopAsyncIteration:
                    return
                finally:
                    self.starved = False
                    self._waited += self._clock() - began
                yield piece


class Still:
    """Draws nothing: one picture, while the sound goes on."""

    def __init__(self, picture: Pixels | None) -> None:
        """Show this picture; None: whatever is seen already."""
        self._picture = picture

    async def render(self, speech: AsyncIterator[SpeechAudio]) -> AsyncGenerator[VideoFrame, None]:
        """Yield the picture until it was gone over into, and then repeat it. The sound is left to others."""
        left, index = 0, 0
        async with aclosing(cast("AsyncGenerator[SpeechAudio, None]", speech)):
            async for piece in speech:
                left += len(piece.audio)
                while left >= FRAME_SAMPLES:
                    yield self._frame(index)
                    left, index = left - FRAME_SAMPLES, index + 1
        if left:
            yield self._frame(index)

    async def idle(self, seconds: float) -> AsyncGenerator[VideoFrame, None]:
        """Yield the picture."""
        for index in range(round(seconds * FPS)):
            yield self._frame(index)

    def _frame(self, index: int) -> VideoFrame:
        picture = self._picture if index <= PREROLL + FADE else None
        return VideoFrame(picture, np.zeros(FRAME_SAMPLES, np.int16), index / FPS)


async def picture_of(renderer: LipSyncRenderer) -> Pixels | None:
    """The renderer's face at rest."""
    frames = cast("AsyncGenerator[VideoFrame, None]", renderer.idle(1 / FPS))
    async with aclosing(frames):
        async for frame in frames:
            return frame.pixels
    return None
