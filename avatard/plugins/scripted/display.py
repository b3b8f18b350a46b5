"""A display that remembers what it was shown."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Literal, cast

from avatard.api.context import PluginContext
from avatard.api.flow import FPS, EncodedChunk, Samples, VideoFrame
from avatard.api.pace import Pace
from avatard.api.stages import DisplaySink
from avatard.plugins.scripted.config import DisplayConfig

REMEMBERED = 3000
"""Frames: two minutes."""


class ScriptedDisplay:
    """Takes frames at their time."""

    accepts: Literal["frames"] = "frames"
    pictures = True

    def __init__(self, config: DisplayConfig) -> None:
        """Nothing was shown yet."""
        self.shown = 0.0
        self.late = 0
        self.volume = 100
        self.chimes = 0
        self.played: deque[VideoFrame] = deque(maxlen=REMEMBERED)
        self._real = config.pace == "real"

    async def play(self, stream: AsyncIterator[VideoFrame] | AsyncIterator[EncodedChunk]) -> None:
        """Take the frames; return when the last has had its time."""
        pace = Pace(self._real)
        self.shown = 0.0
        async with aclosing(cast("AsyncGenerator[VideoFrame, None]", stream)) as frames:
            async for frame in frames:
                await pace.until(frame.pts)
                self.late = pace.late
                self.played.append(frame)
                self.shown = frame.pts + 1 / FPS
        await pace.until(self.shown)

    async def chime(self, sound: Samples) -> None:
        """Count it."""
        self.chimes += 1

    def set_volume(self, percent: int) -> None:
        """Remember it."""
        self.volume = percent


class SwitchedDisplay(ScriptedDisplay):
    """Has a screen that can be switched."""

    def __init__(self, config: DisplayConfig) -> None:
        """Begin as configured."""
        super().__init__(config)
        self.screen = bool(config.screen)

    async def set_screen(self, on: bool) -> None:
        """Remember it."""
        self.screen = on


@asynccontextmanager
async def async_setup(context: PluginContext, config: DisplayConfig) -> AsyncIterator[DisplaySink]:
    """Nothing to open."""
    yield ScriptedDisplay(config) if config.screen is None else SwitchedDisplay(config)
