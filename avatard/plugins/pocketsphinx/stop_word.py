"""PocketSphinx as what hears "stop" without a wake word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.sources import ModelWakeDetector
from avatard.api.stages import WakeDetector
from avatard.plugins.pocketsphinx.config import StopWordConfig
from avatard.plugins.pocketsphinx.stop_engine import StopEngine, phrases_in

MEGABYTES = 17


@asynccontextmanager
async def async_setup(context: PluginContext, config: StopWordConfig) -> AsyncIterator[WakeDetector]:
    """Load the acoustic model and the stop phrases of the household's language."""
    if not phrases_in(context.language):
        context.logger.warning("no stop phrases are known in %s: none is heard without a wake word", context.language)
    model = context.model(StopEngine, MEGABYTES, language=context.language, advantage=config.advantage)
    yield ModelWakeDetector(model)
