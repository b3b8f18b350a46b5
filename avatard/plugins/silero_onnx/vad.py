"""A Silero network as a voice activity detector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import Model, PluginContext
from avatard.api.flow import AudioFrame
from avatard.api.sources import opened
from avatard.api.stages import VoiceActivityDetector, VoiceStream
from avatard.plugins.silero_onnx.config import VadConfig
from avatard.plugins.silero_onnx.engine import SileroOnnxEngine

MEGABYTES = 20
"""onnxruntime, where nothing else has loaded it, and the network (estimated)."""


class Stream:
    """One source."""

    def __init__(self, model: Model, number: int) -> None:
        """Use the engine's state with this number."""
        self._model, self._number = model, number

    async def feed(self, frame: AudioFrame) -> float:
        """Take the next frame."""
        return float(await self._model.call("feed", self._number, frame.samples.tobytes()))


class SileroOnnxDetector:
    """Opens sources."""

    def __init__(self, model: Model) -> None:
        """Use the loaded engine."""
        self._model = model

    @asynccontextmanager
    async def open(self) -> AsyncIterator[VoiceStream]:
        """Start on one source."""
        async with opened(self._model) as number:
            yield Stream(self._model, number)


@asynccontextmanager
async def async_setup(context: PluginContext, config: VadConfig) -> AsyncIterator[VoiceActivityDetector]:
    """Load the model."""
    model = context.model(SileroOnnxEngine, MEGABYTES, model=str(config.model or ""))
    await model.load()
    yield SileroOnnxDetector(model)
