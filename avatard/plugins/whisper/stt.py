"""Whisper as a speech recognizer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import Model, PluginContext
from avatard.api.errors import NotReady, StageFailed
from avatard.api.flow import AudioFrame, Partial, Transcript
from avatard.api.stages import RecognizerStream, SpeechRecognizer
from avatard.plugins.whisper import files
from avatard.plugins.whisper.config import SttConfig
from avatard.plugins.whisper.engine import WhisperEngine

MEGABYTES = 70
"""Measured: PSS of the child with a tiny model; larger ones take larger buffers too."""


class Stream:
    """One request."""

    def __init__(self, model: Model) -> None:
        """Use the loaded model."""
        self._model = model

    async def feed(self, frame: AudioFrame) -> Partial | None:
        """Take the next frame."""
        text = await self._model.call("feed", frame.samples.tobytes())
        return Partial(text) if text else None

    async def finish(self) -> Transcript:
        """Say what was heard."""
        text, language, confidence = await self._model.call("finish")
        return Transcript(text, language, confidence)


class WhisperRecognizer:
    """Takes one request at a time."""

    def __init__(self, model: Model) -> None:
        """Use the loaded model."""
        self._model = model
        self._free = asyncio.Lock()

    @asynccontextmanager
    async def open(self, language: str) -> AsyncIterator[RecognizerStream]:
        """Start on one request."""
        async with self._free, self._model.use():
            await self._model.call("begin", language)
            try:
                yield Stream(self._model)
            finally:
                await self._model.call("abandon")


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
    yield WhisperRecognizer(model)
