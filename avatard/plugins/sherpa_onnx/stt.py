"""sherpa-onnx as a speech recognizer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from avatard.api.context import Model, PluginContext
from avatard.api.errors import NotReady, StageFailed
from avatard.api.flow import AudioFrame, Partial, Transcript
from avatard.api.stages import RecognizerStream, SpeechRecognizer
from avatard.plugins.sherpa_onnx import files
from avatard.plugins.sherpa_onnx.config import SttConfig
from avatard.plugins.sherpa_onnx.engine import SherpaEngine

MEGABYTES = 45
"""Measured: PSS of the child with a tiny model."""
TIMES = 2
"""What a model takes, times the file of its encoder (estimated)."""


class Stream:
    """One request."""

    def __init__(self, model: Model, language: str) -> None:
        """Use the recogniser."""
        self._model, self._language = model, language

    async def feed(self, frame: AudioFrame) -> Partial | None:
        """Take the next frame."""
        text = await self._model.call("feed", frame.samples.tobytes())
        return Partial(text) if text else None

    async def finish(self) -> Transcript:
        """Say what was heard."""
        text, confidence = await self._model.call("finish")
        return Transcript(text, self._language, confidence)


class SherpaRecognizer:
    """Takes one request at a time."""

    def __init__(self, model: Model) -> None:
        """Use the loaded recogniser."""
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
    """Start the child with its model; leaving the block ends it."""
    folder = (config.folder or context.state).expanduser()
    path = context.model_in(lambda: files.located(config.model, folder), config.model, "stt-sherpa")
    size = Path(files.parts(path, config.int8)["encoder"]).stat().st_size / 1e6
    model = context.model(SherpaEngine, MEGABYTES + TIMES * size, model=str(path), threads=config.threads,
                          int8=config.int8, rejection=config.rejection)  # fmt: skip
    try:
        await model.load()
    except StageFailed as err:  # over some files the library ends its process
        raise NotReady(f"sherpa_onnx: {path}: cannot be loaded ({err.reason}); get the model again") from err
    yield SherpaRecognizer(model)
