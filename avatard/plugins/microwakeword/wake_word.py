"""microWakeWord as a wake detector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import Model, PluginContext
from avatard.api.flow import AudioFrame, WakeDetected
from avatard.api.sources import opened
from avatard.api.stages import WakeDetector, WakeStream
from avatard.plugins.microwakeword.config import WakeWordConfig
from avatard.plugins.microwakeword.engine import MicroWakeWordEngine

MEGABYTES = 8


class Stream:
    """One source."""

    def __init__(self, model: Model, number: int) -> None:
        """Use the engine's state with this number."""
        self._model, self._number = model, number

    async def feed(self, frame: AudioFrame) -> WakeDetected | None:
        """Take the next frame."""
        found = await self._model.call("feed", self._number, frame.samples.tobytes(), frame.end)
        return WakeDetected(found[0], found[1], frame.end) if found else None


class MicroWakeWordDetector:
    """Opens sources."""

    def __init__(self, model: Model) -> None:
        """Use the loaded engine."""
        self._model = model

    @asynccontextmanager
    async def open(self) -> AsyncIterator[WakeStream]:
        """Start listening on one source."""
        async with opened(self._model) as number:
            yield Stream(self._model, number)

    @asynccontextmanager
    async def rehearse(self) -> AsyncIterator[WakeStream]:
        """Start on our own speech."""
        async with opened(self._model) as number:
            await self._model.call("rehearse", number)
            yield Stream(self._model, number)


@asynccontextmanager
async def async_setup(context: PluginContext, config: WakeWordConfig) -> AsyncIterator[WakeDetector]:
    """Load the phrases."""
    phrases = [(p.name, str(p.file) if p.file else "", p.threshold) for p in config.phrases]
    model = context.model(MicroWakeWordEngine, MEGABYTES, phrases=phrases)
    await model.load()
    yield MicroWakeWordDetector(model)
