"""A Silero network as a voice activity detector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.sources import ModelVoiceDetector
from avatard.api.stages import VoiceActivityDetector
from avatard.plugins.silero_onnx.config import VadConfig
from avatard.plugins.silero_onnx.engine import SileroOnnxEngine

MEGABYTES = 20
"""onnxruntime, where nothing else has loaded it, and the network (estimated)."""


@asynccontextmanager
async def async_setup(context: PluginContext, config: VadConfig) -> AsyncIterator[VoiceActivityDetector]:
    """Load the model."""
    model = context.model(SileroOnnxEngine, MEGABYTES, model=str(config.model or ""))
    await model.load()
    yield ModelVoiceDetector(model)
