"""Hears the scripted microphone's speech."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.flow import AudioFrame
from avatard.api.stages import VoiceActivityDetector, VoiceStream
from avatard.plugins.scripted.code import read
from avatard.plugins.scripted.config import VadConfig


class ScriptedVad:
    """Its stream has no state, so it is its own."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[VoiceStream]:
        """Start on one source."""
        yield self

    async def feed(self, frame: AudioFrame) -> float:
        """1 while somebody speaks."""
        return 1.0 if read(frame, "speech") is not None else 0.0


@asynccontextmanager
async def async_setup(context: PluginContext, config: VadConfig) -> AsyncIterator[VoiceActivityDetector]:
    """Nothing to open."""
    yield ScriptedVad()
