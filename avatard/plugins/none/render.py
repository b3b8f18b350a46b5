"""Frames with sound and no picture, for a box that nobody looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from avatard.api.context import PluginContext
from avatard.api.flow import FPS, FRAME_SAMPLES, SpeechAudio, VideoFrame
from avatard.api.stages import LipSyncRenderer
from avatard.face.cut import blocks
from avatard.plugins.none.config import RenderConfig


class Unseen:
    """Cuts the speech into frames."""

    async def render(self, speech: AsyncIterator[SpeechAudio]) -> AsyncIterator[VideoFrame]:
        """Yield frames whose pictures are None."""
        index = 0
        async for audio, sentence in blocks(speech):
            yield VideoFrame(None, audio, index / FPS, sentence)
            index += 1

    async def idle(self, seconds: float) -> AsyncIterator[VideoFrame]:
        """Yield silence."""
        for index in range(round(seconds * FPS)):
            yield VideoFrame(None, np.zeros(FRAME_SAMPLES, np.int16), index / FPS)


@asynccontextmanager
async def async_setup(context: PluginContext, config: RenderConfig) -> AsyncIterator[LipSyncRenderer]:
    """Nothing to open."""
    yield Unseen()
