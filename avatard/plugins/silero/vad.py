"""Silero as a voice activity detector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.sources import ModelVoiceDetector
from avatard.api.stages import VoiceActivityDetector
from avatard.plugins.silero.config import VadConfig
from avatard.plugins.silero.engine import SileroEngine

MEGABYTES = 4


@asynccontextmanager
async def async_setup(context: PluginContext, config: VadConfig) -> AsyncIterator[VoiceActivityDetector]:
    """Load the model."""
    model = context.model(SileroEngine, MEGABYTES)
    await model.load()
    yield ModelVoiceDetector(model)
