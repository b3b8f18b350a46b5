"""PocketSphinx as a speech recognizer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.recognition import ModelRecognizer
from avatard.api.stages import SpeechRecognizer
from avatard.plugins.pocketsphinx.config import SttConfig
from avatard.plugins.pocketsphinx.engine import PocketsphinxEngine

MEGABYTES = 45


@asynccontextmanager
async def async_setup(context: PluginContext, config: SttConfig) -> AsyncIterator[SpeechRecognizer]:
    """Load the acoustic model and compile the responders' grammar."""
    model = context.model(
        PocketsphinxEngine, MEGABYTES, grammars=list(context.grammars), phrases=list(context.wake_phrases),
        rejection=config.rejection,
    )  # fmt: skip
    if unknown := await model.call("missing"):
        context.logger.warning("no pronunciation for %s: sentences with these words are not heard", ", ".join(unknown))
    yield ModelRecognizer(model)
