"""microWakeWord as a wake detector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.sources import RehearsingWakeDetector
from avatard.api.stages import WakeDetector
from avatard.plugins.microwakeword.config import WakeWordConfig
from avatard.plugins.microwakeword.engine import MicroWakeWordEngine

MEGABYTES = 8


@asynccontextmanager
async def async_setup(context: PluginContext, config: WakeWordConfig) -> AsyncIterator[WakeDetector]:
    """Load the phrases."""
    phrases = [(p.name, str(p.file) if p.file else "", p.threshold) for p in config.phrases]
    model = context.model(MicroWakeWordEngine, MEGABYTES, phrases=phrases)
    await model.load()
    yield RehearsingWakeDetector(model)
