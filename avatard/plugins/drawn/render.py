"""The drawn face as a renderer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import numpy as np

from avatard.api.context import Model, PluginContext
from avatard.api.flow import FPS, FRAME_SAMPLES, SpeechAudio, VideoFrame
from avatard.api.stages import LipSyncRenderer
from avatard.face.cut import blocks
from avatard.face.shapes import REST, MouthTracker
from avatard.plugins.drawn.config import RenderConfig
from avatard.plugins.drawn.engine import DrawnEngine

MEGABYTES = 30
CLOSING = 4
"""Frames at the end of an answer in which the mouth comes to rest."""


class DrawnRenderer:
    """Draws each frame's mouth from its sound."""

    def __init__(self, model: Model) -> None:
        """Use the loaded engine."""
        self._model = model

    async def render(self, speech: AsyncIterator[SpeechAudio]) -> AsyncIterator[VideoFrame]:
        """Yield the answer; its last frames bring the mouth to rest."""
        tracker = MouthTracker()
        index = 0
        sentence = None
        async with aclosing(blocks(speech)) as cut:
            async for audio, sentence in cut:
                yield VideoFrame(await self._model.call("draw", tracker.feed(audio)), audio, index / FPS, sentence)
                index += 1
        silence = np.zeros(FRAME_SAMPLES, np.int16)
        for _ in range(CLOSING if index else 0):
            yield VideoFrame(await self._model.call("draw", tracker.feed(silence)), silence, index / FPS, sentence)
            index += 1

    async def idle(self, seconds: float) -> AsyncIterator[VideoFrame]:
        """Yield the face at rest; whole breaths, so that the end meets the start."""
        count = max(1, round(seconds * FPS))
        for index in range(count):
            pixels = await self._model.call("draw_at", REST, index / count)
            yield VideoFrame(pixels, np.zeros(FRAME_SAMPLES, np.int16), index / FPS)


@asynccontextmanager
async def async_setup(context: PluginContext, config: RenderConfig) -> AsyncIterator[LipSyncRenderer]:
    """Draw what does not move, once."""
    model = context.model(DrawnEngine, MEGABYTES, size=config.size, palette=config.palette)
    await model.load()
    yield DrawnRenderer(model)
