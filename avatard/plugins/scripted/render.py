"""A square as bright as the sound is loud."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import numpy as np

from avatard.api.context import PluginContext
from avatard.api.errors import StageFailed
from avatard.api.flow import FPS, FRAME_SAMPLES, SpeechAudio, VideoFrame
from avatard.api.stages import LipSyncRenderer
from avatard.face.cut import blocks
from avatard.plugins.scripted.config import RenderConfig


class ScriptedRenderer:
    """Flat pictures."""

    def __init__(self, config: RenderConfig) -> None:
        """Know the size."""
        self.rate: Literal["full", "half"] = "full"
        self._config = config

    async def render(self, speech: AsyncIterator[SpeechAudio]) -> AsyncIterator[VideoFrame]:
        """Yield the answer."""
        index = 0
        async for audio, sentence in blocks(speech):
            if self._config.fail or index == self._config.fail_after:
                raise StageFailed("render", "scripted", "as its configuration says")
            level = min(255, int(np.abs(audio.astype(np.int32)).mean() / 16))
            if self.rate == "half" and index % 2:
                yield VideoFrame(None, audio, index / FPS, sentence)
            else:
                if self._config.ms_per_picture:
                    await asyncio.sleep(self._config.ms_per_picture / 1000)
                yield VideoFrame(self._picture(level), audio, index / FPS, sentence)
            index += 1

    async def idle(self, seconds: float) -> AsyncIterator[VideoFrame]:
        """Yield darkness."""
        for index in range(max(1, round(seconds * FPS))):
            yield VideoFrame(self._picture(0), np.zeros(FRAME_SAMPLES, np.int16), index / FPS)

    def _picture(self, level: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        picture = np.full((self._config.size, self._config.size, 3), level, np.uint8)
        picture[..., 0] |= np.uint8(self._config.tint)
        return picture


@asynccontextmanager
async def async_setup(context: PluginContext, config: RenderConfig) -> AsyncIterator[LipSyncRenderer]:
    """Nothing to open."""
    yield ScriptedRenderer(config)
