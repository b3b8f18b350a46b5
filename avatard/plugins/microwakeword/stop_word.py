"""microWakeWord as what hears "stop" without a wake word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.sources import ModelWakeDetector
from avatard.api.stages import WakeDetector
from avatard.plugins.microwakeword.config import StopWordConfig
from avatard.plugins.microwakeword.engine import MicroWakeWordEngine

MEGABYTES = 4


@asynccontextmanager
async def async_setup(context: PluginContext, config: StopWordConfig) -> AsyncIterator[WakeDetector]:
    """Load the model."""
    file = context.model_path(config.model, "wake-microwakeword")
    model = context.model(MicroWakeWordEngine, MEGABYTES, phrases=[("", str(file), config.threshold)])
    await model.load()
    yield ModelWakeDetector(model)
