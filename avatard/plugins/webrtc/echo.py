"""WebRTC as an echo canceller."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np

from avatard.api.context import Model, PluginContext, Pulse
from avatard.api.echo import EchoCanceller, EchoStream
from avatard.api.errors import AvatardError, NotReady, OutOfMemory, StageFailed
from avatard.api.flow import AudioFrame, Samples
from avatard.plugins.webrtc.config import EchoConfig
from avatard.plugins.webrtc.engine import WebrtcEngine

MEGABYTES = 38
"""Measured: PSS of the child."""
LOOK = 1.0
"""Seconds between looks whether the child may go."""


class Stream:
    """One source; the engine makes its state with its first frame, in each child anew."""

    def __init__(self, canceller: WebrtcCanceller, number: int) -> None:
        """Use the engine's state with this number."""
        self._canceller, self._number = canceller, number

    async def clean(self, frame: AudioFrame, played: Samples) -> AudioFrame:
        """Take what was played out of the frame; while the child starts the frame is returned as it is."""
        if not self._canceller.ready():
            return frame
        sound = await self._canceller.call("clean", self._number, frame.samples.tobytes(), played.tobytes())
        return replace(frame, samples=np.frombuffer(sound, np.int16))


class WebrtcCanceller:
    """Starts its child when something sounds, and puts it down when nothing did for a while."""

    def __init__(self, context: PluginContext, model: Model, keep: float) -> None:
        """Nothing is started yet."""
        self._context, self._model, self._keep = context, model, keep
        self._numbers = itertools.count(1)
        self._used = 0.0
        self._wanted = asyncio.Event()
        self._loaded = False
        self._trouble: AvatardError | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[EchoStream]:
        """Start on one source."""
        number = next(self._numbers)
        try:
            yield Stream(self, number)
        finally:
            if self._loaded:
                try:
                    await self._model.call("end", number)
                except AvatardError as err:
                    self._context.logger.debug("source %d: %s", number, err)

    def ready(self) -> bool:
        """Whether the child is there; else it is started.

        Raises:
            StageFailed, NotReady, OutOfMemory: it could not be started.
        """
        self._used = self._context.clock()
        self._wanted.set()
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble
        return self._loaded

    async def call(self, method: str, *args: object) -> bytes:
        """Call the engine."""
        result: bytes = await self._model.call(method, *args)
        return result

    async def keep(self, pulse: Pulse) -> None:
        """Start the child when it is wanted, and put it down when it was not used for a while."""
        while True:
            await self._wanted.wait()
            try:
                await self._model.load()
            except (StageFailed, NotReady, OutOfMemory) as err:
                self._trouble = err
            else:
                self._loaded = True
                while self._context.clock() - self._used < self._keep:
                    await asyncio.sleep(LOOK)
            self._loaded = False
            self._wanted.clear()
            await self._model.unload()


@asynccontextmanager
async def async_setup(context: PluginContext, config: EchoConfig) -> AsyncIterator[EchoCanceller]:
    """Nothing is loaded until something sounds."""
    model = context.model(WebrtcEngine, MEGABYTES, noise_suppression=config.noise_suppression, gain=config.gain)
    canceller = WebrtcCanceller(context, model, config.keep_seconds)
    context.run("keep", canceller.keep)
    yield canceller
