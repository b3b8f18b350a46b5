"""The linear filter as an echo canceller."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np

from avatard.api.context import Model, PluginContext
from avatard.api.echo import EchoCanceller, EchoStream
from avatard.api.flow import LISTEN_RATE, AudioFrame, Samples
from avatard.plugins.linear.config import EchoConfig
from avatard.plugins.linear.engine import BLOCK, LinearEngine

MEGABYTES = 2


class Stream:
    """One source."""

    def __init__(self, model: Model, number: int) -> None:
        """Use the engine's state with this number; it is made with the first frame."""
        self._model, self._number = model, number
        self._end = -1.0

    async def clean(self, frame: AudioFrame, played: Samples) -> AudioFrame:
        """Take what was played out of the frame."""
        follows, self._end = abs(frame.at - self._end) < 0.5 / LISTEN_RATE, frame.end
        sound = await self._model.call(
            "clean", self._number, frame.samples.tobytes(), played.tobytes(), follows
        )
        return replace(frame, samples=np.frombuffer(sound, np.int16))

    async def end(self) -> None:
        """Let the engine forget it."""
        if self._end >= 0:
            await self._model.call("end", self._number)


class LinearCanceller:
    """Opens sources."""

    def __init__(self, model: Model) -> None:
        """Use this engine; it is loaded when something sounds."""
        self._model = model
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[EchoStream]:
        """Start on one source."""
        stream = Stream(self._model, next(self._numbers))
        try:
            yield stream
        finally:
            await stream.end()


@asynccontextmanager
async def async_setup(context: PluginContext, config: EchoConfig) -> AsyncIterator[EchoCanceller]:
    """Nothing to load yet."""
    parts = max(1, round(config.milliseconds / 1000 * LISTEN_RATE / BLOCK))
    yield LinearCanceller(context.model(LinearEngine, MEGABYTES, parts=parts))
