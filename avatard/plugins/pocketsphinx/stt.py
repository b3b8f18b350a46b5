"""PocketSphinx as a speech recognizer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import Model, PluginContext
from avatard.api.flow import AudioFrame, Partial, Transcript
from avatard.api.stages import RecognizerStream, SpeechRecognizer
from avatard.plugins.pocketsphinx.config import SttConfig
from avatard.plugins.pocketsphinx.engine import PocketsphinxEngine

MEGABYTES = 45


class Stream:
    """One request."""

    def __init__(self, model: Model, language: str) -> None:
        """Use the decoder."""
        self._model, self._language = model, language

    async def feed(self, frame: AudioFrame) -> Partial | None:
        """Take the next frame."""
        heard = await self._model.call("feed", frame.samples.tobytes())
        return Partial(*heard) if heard else None

    async def finish(self) -> Transcript:
        """Say what was heard."""
        text, confidence = await self._model.call("finish")
        return Transcript(text, self._language, confidence)


class PocketsphinxRecognizer:
    """Takes one request at a time."""

    def __init__(self, model: Model) -> None:
        """Use the loaded decoder."""
        self._model = model
        self._free = asyncio.Lock()

    @asynccontextmanager
    async def open(self, language: str) -> AsyncIterator[RecognizerStream]:
        """Start on one request."""
        async with self._free, self._model.use():
            await self._model.call("begin")
            try:
                yield Stream(self._model, language)
            finally:
                await self._model.call("abandon")


@asynccontextmanager
async def async_setup(context: PluginContext, config: SttConfig) -> AsyncIterator[SpeechRecognizer]:
    """Load the acoustic model and compile the responders' grammar."""
    model = context.model(
        PocketsphinxEngine, MEGABYTES, grammars=list(context.grammars), phrases=list(context.wake_phrases),
        rejection=config.rejection,
    )  # fmt: skip
    if unknown := await model.call("missing"):
        context.logger.warning("no pronunciation for %s: sentences with these words are not heard", ", ".join(unknown))
    yield PocketsphinxRecognizer(model)
