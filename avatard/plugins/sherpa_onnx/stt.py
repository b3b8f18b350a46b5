"""sherpa-onnx as a speech recognizer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from avatard.api.context import PluginContext
from avatard.api.errors import NotReady, StageFailed
from avatard.api.recognition import ModelRecognizer
from avatard.api.stages import SpeechRecognizer
from avatard.plugins.sherpa_onnx import files
from avatard.plugins.sherpa_onnx.config import SttConfig
from avatard.plugins.sherpa_onnx.engine import SherpaEngine

MEGABYTES = 45
"""Measured: PSS of the child with a tiny model."""
TIMES = 2
"""What a model takes, times the file of its encoder (estimated)."""


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
    yield ModelRecognizer(model)
