"""Sound that is late: amplifiers that wake slowly, and links that hold sound back."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import numpy as np

from avatard.api.flow import FPS, FRAME_SAMPLES, Pixels, VideoFrame
from avatard.api.stages import DisplaySink

QUIET = 3.0
"""Seconds without a sound after which an amplifier, or the link to it, may have gone to sleep."""


@dataclass(frozen=True, slots=True)
class Lag:
    """What one display's sound needs."""

    lead_in: float = 0.0
    """Seconds of silence before an answer that follows a quiet time: they are swallowed in its place."""
    delay: float = 0.0
    """Seconds by which its sound is heard later than the display says."""

    @property
    def lead_frames(self) -> int:
        """Frames of silence."""
        return math.ceil(round(self.lead_in * FPS, 6))

    @property
    def frames(self) -> int:
        """Frames by which its pictures wait for its sound."""
        return math.ceil(round(self.delay * FPS, 6))


NONE = Lag()


class Lags:
    """Those of a place's displays, and when one of them sounded last."""

    def __init__(self, sinks: Sequence[DisplaySink], lags: Sequence[Lag]) -> None:
        """Nothing has sounded yet; where no lags are given there are none."""
        self._lags = list(zip(sinks, lags, strict=False))
        self._sounded = -math.inf

    def of(self, sink: DisplaySink) -> Lag:
        """One display's."""
        return next((lag for one, lag in self._lags if one is sink), NONE)

    @property
    def lead_in(self) -> int:
        """Silent frames that an answer would begin with: the longest lead-in, where nothing has sounded lately."""
        if time.monotonic() < self._sounded + QUIET:
            return 0
        return max((lag.lead_frames for _, lag in self._lags), default=0)

    def sounds(self, seconds: float = 0.0) -> None:
        """Something sounds for so long from now on."""
        self._sounded = max(self._sounded, time.monotonic() + seconds)


async def led_in(frames: AsyncIterator[VideoFrame], count: int) -> AsyncGenerator[VideoFrame, None]:
    """Put so many silent frames before the answer, once its first frame is there, with that one's picture."""
    begun = False
    async for frame in frames:
        if not begun:
            begun = True
            for index in range(count):
                yield _silent(None if index else frame.pixels, index)
        yield replace(frame, pts=frame.pts + count / FPS) if count else frame


async def later(frames: AsyncGenerator[VideoFrame, None], count: int) -> AsyncGenerator[VideoFrame, None]:
    """Let each picture come so many frames behind its sound; silence follows until the last is seen."""
    waiting: deque[Pixels | None] = deque([None] * count)
    index = 0
    async with aclosing(frames):
        async for frame in frames:
            waiting.append(frame.pixels)
            picture = waiting.popleft()
            # Whoever encodes needs a picture to begin with.
            yield replace(frame, pixels=picture if index else frame.pixels)
            index += 1
    for picture in waiting if index else ():
        yield _silent(picture, index)
        index += 1


def _silent(picture: Pixels | None, index: int) -> VideoFrame:
    return VideoFrame(picture, np.zeros(FRAME_SAMPLES, np.int16), index / FPS)
