"""A recogniser whose engine, on its thread or in its child, takes one request at a time.

The engine has ``begin()``, ``feed(sound)``, ``finish()`` and ``abandon()``: ``feed`` takes int16 sound and returns the
text when it has changed (or the text and whether it is complete), ``finish`` returns text and confidence, with the
language between them where the engine tells it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .context import Model
from .flow import AudioFrame, Partial, Transcript
from .stages import RecognizerStream


class RequestStream:
    """One request."""

    def __init__(self, model: Model, language: str) -> None:
        """Use the engine that has begun."""
        self._model, self._language = model, language

    async def feed(self, frame: AudioFrame) -> Partial | None:
        """Take the next frame."""
        heard = await self._model.call("feed", frame.samples.tobytes())
        if not heard:
            return None
        return Partial(heard) if isinstance(heard, str) else Partial(*heard)

    async def finish(self) -> Transcript:
        """Say what was heard."""
        text, *language, confidence = await self._model.call("finish")
        return Transcript(text, language[0] if language else self._language, confidence)


class ModelRecognizer:
    """Takes one request after another."""

    def __init__(self, model: Model, multilingual: bool = False) -> None:
        """Use the model; ``multilingual`` where its ``begin`` is told the language."""
        self._model, self._multilingual = model, multilingual
        self._free = asyncio.Lock()

    @asynccontextmanager
    async def open(self, language: str) -> AsyncIterator[RecognizerStream]:
        """Start on one request."""
        async with self._free, self._model.use():
            await self._model.call("begin", *((language,) if self._multilingual else ()))
            try:
                yield RequestStream(self._model, language)
            finally:
                await self._model.call("abandon")
