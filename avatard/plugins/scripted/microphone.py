"""A microphone that hears what its script says."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import numpy as np

from avatard.api.context import PluginContext
from avatard.api.errors import NotReady
from avatard.api.flow import LISTEN_RATE, AudioFrame, Samples
from avatard.api.pace import Pace
from avatard.api.stages import Microphone
from avatard.plugins.scripted.code import FRAME, written
from avatard.plugins.scripted.config import MicrophoneConfig

SPEECH_FRAMES = 10
"""A request lasts 0.32 s."""
AFTER = 2.0
"""Seconds of silence after the script."""


class ScriptedMicrophone:
    """Plays the script once; at real pace silence follows for ever."""

    def __init__(self, config: MicrophoneConfig) -> None:
        """Begin at the script's beginning."""
        self._config = config
        self._count = 0
        self._at = 0

    @property
    def live(self) -> bool:
        """At real pace nobody waits for the reader."""
        return self._config.pace == "real"

    async def frames(self) -> AsyncIterator[AudioFrame]:
        """Yield the script's frames."""
        pace = Pace(self.live)
        while self._at < len(self._config.script):
            event = self._config.script[self._at]
            self._at += 1
            if event.fail is not None:
                raise NotReady(event.fail)
            for samples in self._heard(event.wake, event.say, event.silence or 0):
                yield await self._frame(samples, pace)
        rest = int(AFTER * LISTEN_RATE / FRAME)
        while self.live or rest > 0:
            rest -= 1
            yield await self._frame(np.zeros(FRAME, np.int16), pace)

    def _heard(self, wake: str | None, say: str | None, silence: float) -> Iterator[Samples]:
        if wake is not None:
            yield written("wake", wake)
        if say is not None:
            for _ in range(SPEECH_FRAMES):
                yield written("speech", say)
        for _ in range(int(silence * LISTEN_RATE / FRAME)):
            yield np.zeros(FRAME, np.int16)

    async def _frame(self, samples: Samples, pace: Pace) -> AudioFrame:
        at = self._count * FRAME / LISTEN_RATE
        self._count += 1
        await pace.until(at)
        return AudioFrame(samples, LISTEN_RATE, at, time.monotonic())


@asynccontextmanager
async def async_setup(context: PluginContext, config: MicrophoneConfig) -> AsyncIterator[Microphone]:
    """Nothing to open."""
    yield ScriptedMicrophone(config)
