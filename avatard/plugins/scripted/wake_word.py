"""Hears the scripted microphone's wake phrases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.flow import AudioFrame, WakeDetected
from avatard.api.stages import WakeDetector, WakeStream
from avatard.plugins.scripted.code import read
from avatard.plugins.scripted.config import WakeWordConfig


class ScriptedWake:
    """Its stream has no state, so it is its own."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[WakeStream]:
        """Start on one source."""
        yield self

    async def feed(self, frame: AudioFrame) -> WakeDetected | None:
        """Take the next frame."""
        phrase = read(frame, "wake")
        return WakeDetected(phrase, 1.0, frame.end) if phrase is not None else None


@asynccontextmanager
async def async_setup(context: PluginContext, config: WakeWordConfig) -> AsyncIterator[WakeDetector]:
    """Nothing to open."""
    yield ScriptedWake()
