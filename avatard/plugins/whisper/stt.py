"""Whisper as a speech recognizer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.errors import NotReady, StageFailed
from avatard.api.recognition import ModelRecognizer
from avatard.api.stages import SpeechRecognizer
from avatard.plugins.whisper import files
from avatard.plugins.whisper.config import SttConfig
from avatard.plugins.whisper.engine import WhisperEngine

MEGABYTES = 70
"""Measured: PSS of the child with a tiny model; larger ones take larger buffers too."""


@asynccontextmanager
async def async_setup(context: PluginContext, config: SttConfig) -> AsyncIterator[SpeechRecognizer]:
    """Start the child with its model; leaving the block ends it."""
    folder = (config.folder or context.state).expanduser()
    path = context.model_in(lambda: files.located(config.model, folder), config.model, "stt-whisper")
    model = context.model(
        WhisperEngine, MEGABYTES + path.stat().st_size / 1e6, model=str(path), language=config.language,
        partials=config.partials, threads=config.threads, short_context=config.short_context,
        rejection=config.rejection,
    )  # fmt: skip
    try:
        await model.load()
    except StageFailed as err:  # over some files the library ends its process
        raise NotReady(f"whisper: {path}: cannot be loaded ({err.reason}); get the model again") from err
    await model.call("begin", context.language)
    yield ModelRecognizer(model, multilingual=True)
