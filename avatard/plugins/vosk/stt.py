"""Vosk as a speech recognizer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from avatard.api.context import PluginContext
from avatard.api.errors import NotReady, StageFailed
from avatard.api.recognition import ModelRecognizer
from avatard.api.stages import SpeechRecognizer
from avatard.plugins.vosk.config import SttConfig
from avatard.plugins.vosk.engine import VoskEngine
from avatard.plugins.vosk.phrases import phrases

MEGABYTES = 30
"""Measured: PSS of the child with a tiny model."""
TIMES = 6
"""What a small model takes, times its files (estimated)."""


def located(name: str, folder: Path) -> Path:
    """The folder of a model: named, or given as a path.

    Raises:
        NotReady: there is none.
    """
    for path in (folder / name, Path(name).expanduser()):
        if path.exists():
            return path
    there = ", ".join(p.name for p in sorted(folder.glob("*")) if p.is_dir()) or "none"
    raise NotReady(f"vosk: no model {name!r}; models in {folder}: {there}")


@asynccontextmanager
async def async_setup(context: PluginContext, config: SttConfig) -> AsyncIterator[SpeechRecognizer]:
    """Start the child with its model; leaving the block ends it."""
    folder = (config.folder or context.state).expanduser()
    path = context.model_in(lambda: located(config.model, folder), config.model, "stt-vosk")
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
    heard = phrases(context.grammars) if config.mode == "grammar" else []
    if config.mode == "grammar" and not heard:
        raise NotReady("stt: vosk: 'mode: grammar' needs a spoken grammar: add 'intents' to conversation")
    model = context.model(VoskEngine, MEGABYTES + TIMES * size, model=str(path), phrases=heard,
                          wake=list(context.wake_phrases), rejection=config.rejection)  # fmt: skip
    try:
        lacking = await model.call("missing")
    except StageFailed as err:  # over some files the library ends its process
        raise NotReady(f"vosk: {path}: cannot be loaded ({err.reason}); get the model again") from err
    if lacking:
        context.logger.warning("the model has no word %s: sentences with these are not heard", ", ".join(lacking))
    yield ModelRecognizer(model)
