"""openWakeWord as a wake detector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.sources import RehearsingWakeDetector
from avatard.api.stages import WakeDetector
from avatard.plugins.openwakeword.config import WakeWordConfig
from avatard.plugins.openwakeword.engine import OpenWakeWordEngine

MEGABYTES = 30


@asynccontextmanager
async def async_setup(context: PluginContext, config: WakeWordConfig) -> AsyncIterator[WakeDetector]:
    """Load the phrases."""
    files = [str(context.model_path(p.file, "wake-openwakeword", "file")) if p.file else "" for p in config.phrases]
    phrases = [(p.name, file, p.threshold) for p, file in zip(config.phrases, files, strict=True)]
    verifiers = {place: str(p.verifier) for place, p in enumerate(config.phrases) if p.verifier}
    model = context.model(OpenWakeWordEngine, MEGABYTES, phrases=phrases, verifiers=verifiers)
    await model.load()
    yield RehearsingWakeDetector(model)
