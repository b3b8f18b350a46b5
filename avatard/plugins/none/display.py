"""A display that shows nothing and keeps real time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Literal, cast

from avatard.api.context import PluginContext
from avatard.api.flow import FPS, EncodedChunk, Samples, VideoFrame
from avatard.api.pace import Pace
from avatard.api.stages import DisplaySink
from avatard.plugins.none.config import DisplayConfig


class NoDisplay:
    """Takes frames at their time and forgets them."""

    accepts: Literal["frames"] = "frames"
    pictures = True

    def __init__(self, config: DisplayConfig) -> None:
        """Keep real time, or not."""
        self.shown = 0.0
        self.late = 0
        self._real = config.pace == "real"
        self.patient = not self._real

    async def play(self, stream: AsyncIterator[VideoFrame] | AsyncIterator[EncodedChunk]) -> None:
        """Take the frames; return when the last has had its time."""
        pace = Pace(self._real)
        self.shown, self.late = 0.0, 0
        async with aclosing(cast("AsyncGenerator[VideoFrame, None]", stream)) as frames:
            async for frame in frames:
                await pace.until(frame.pts)
                self.late = pace.late
                self.shown = frame.pts + 1 / FPS
        await pace.until(self.shown)

    async def chime(self, sound: Samples) -> None:
        """Nobody hears it."""

    def set_volume(self, percent: int) -> None:
        """Nobody hears it."""


@asynccontextmanager
async def async_setup(context: PluginContext, config: DisplayConfig) -> AsyncIterator[DisplaySink]:
    """Nothing to open."""
    yield NoDisplay(config)
