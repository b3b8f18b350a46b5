"""Recordings as a microphone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from avatard.api.context import PluginContext
from avatard.api.flow import LISTEN_RATE, AudioFrame, Samples
from avatard.api.news import State, StateChanged, Subscription
from avatard.api.pace import Pace
from avatard.api.stages import Microphone
from avatard.plugins.file.config import MicrophoneConfig
from avatard.plugins.file.wav import read_wav

FRAME = 512
"""Samples: 32 ms, what Silero takes."""
BETWEEN, AFTER = 1.0, 2.0
"""Seconds of silence between two recordings, and after the last, so that a request's end is heard."""


class FileMicrophone:
    """Plays recordings; between two it waits, silent, until the answer to the first was given."""

    def __init__(self, recordings: list[Path], config: MicrophoneConfig, context: PluginContext) -> None:
        """Read every recording once now, so that a broken one is found at the start."""
        self._recordings, self._config, self._context = recordings, config, context
        for path in recordings:
            read_wav(path)

    @property
    def live(self) -> bool:
        """At real pace nobody waits for the reader."""
        return self._config.pace == "real"

    async def frames(self) -> AsyncIterator[AudioFrame]:
        """Yield the recordings as 32 ms frames."""
        pace = Pace(self.live)
        count = 0
        state: State = "idle"

        async def frame(samples: Samples) -> AudioFrame:
            nonlocal count
            at = count * FRAME / LISTEN_RATE
            count += 1
            await pace.until(at + FRAME / LISTEN_RATE)
            return AudioFrame(samples, LISTEN_RATE, at, time.monotonic())

        with self._context.news.subscribe() as news:
            while True:
                for index, path in enumerate(self._recordings):
                    for samples in _cut(read_wav(path)):
                        yield await frame(samples)
                    last = index == len(self._recordings) - 1 and not self._config.loop
                    rest = int((AFTER if last else BETWEEN) * LISTEN_RATE / FRAME)
                    while rest > 0 or (self.live and state in ("processing", "responding")):
                        rest -= 1
                        yield await frame(np.zeros(FRAME, np.int16))
                        state = _latest(news, state)
                if not self._config.loop:
                    return


def _cut(samples: Samples) -> list[Samples]:
    padded = np.concatenate([samples, np.zeros(-len(samples) % FRAME, np.int16)])
    return list(padded.reshape(-1, FRAME))


def _latest(news: Subscription, state: State) -> State:
    for event in news.waiting():
        if isinstance(event, StateChanged):
            state = event.state
    return state


@asynccontextmanager
async def async_setup(context: PluginContext, config: MicrophoneConfig) -> AsyncIterator[Microphone]:
    """Open the recordings."""
    paths = [config.path] if isinstance(config.path, Path) else list(config.path)
    yield FileMicrophone(paths, config, context)
