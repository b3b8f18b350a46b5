"""Speech into pictures of the drawn face."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from avatard.api.context import Model, PluginContext
from avatard.api.errors import Refused
from avatard.api.flow import FPS, FRAME_SAMPLES, Pixels, Samples, Sentence, SpeechAudio, VideoFrame
from avatard.api.stages import LipSyncRenderer
from avatard.face.cut import Block, batches
from avatard.face.shapes import AT_ONCE, REST, MouthShape, MouthTracker
from avatard.plugins.drawn.config import Palette, RenderConfig

MEGABYTES = 60
PORTRAIT = 192
"""Pixels of a portrait's side."""
EASE_IN = 12
"""Pictures in which an answer leaves the pose that the silent loop begins and ends with."""


MOUTH_IN = 2
"""Pictures in which the first sound opens a mouth that was at rest: in one it would snap."""


class Emphasis:
    """How much a syllable stands out from those before it, 0-1: what raises the brows."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._fast = self._slow = self._lift = 0.0

    def feel(self, opened: float) -> float:
        """Take the next mouth's opening."""
        self._fast += (opened - self._fast) / 4
        self._slow += (opened - self._slow) / 30
        self._lift += (min(1.0, max(0.0, 2.2 * (self._fast - self._slow) - 0.15)) - self._lift) / 4
        return self._lift


class DrawnFace:
    """Follows the sound with its mouth; its breath and blinks go on from one answer to the next."""

    def __init__(self, painter: Model, palette: str = "apricot") -> None:
        """Take the model that draws, and the colours with which it begins."""
        self.choices: tuple[str, ...] = get_args(Palette)
        self.chosen = self._first = palette
        self.rate: Literal["full", "half"] = "full"
        self._painter = painter
        self._lived = 0
        self._dressed = False

    async def choose(self, name: str) -> None:
        """Wear other colours from the next answer on."""
        if name not in self.choices:
            raise Refused(f"there are no colours {name!r}; there are {', '.join(self.choices)}")
        self.chosen = name

    async def portrait(self, name: str) -> Pixels | None:
        """How it would look in other colours."""
        return await self._painter.call("portrait", name, PORTRAIT) if name in self.choices else None

    async def _dress(self) -> None:
        """A model that was put down comes back in its first colours."""
        if self.chosen != self._first or self._dressed:
            self._dressed = True
            await self._painter.call("wear", self.chosen)

    async def render(self, speech: AsyncIterator[SpeechAudio]) -> AsyncGenerator[VideoFrame, None]:
        """Yield the frames of one answer, each 160 ms of sound behind; the first and the last meet the silent loop."""
        tracker, emphasis = MouthTracker(), Emphasis()
        waiting: deque[Block] = deque()
        start, index = self._lived, 0
        async with aclosing(batches(speech, AT_ONCE)) as lots:
            async for lot in lots:
                waiting.extend(lot)
                for shape in tracker.feed(*(audio for audio, _ in lot)):
                    skip = self.rate == "half" and index % 2 == 1
                    yield await self._frame(start, index, 1.0, shape, emphasis, *waiting.popleft(), skip)
                    index += 1
        rest = tracker.finish()
        for left, shape in zip(range(len(rest) - 1, -1, -1), rest, strict=True):
            last = shape if left else REST
            yield await self._frame(start, index, left / len(rest), last, emphasis, *waiting.popleft())
            index += 1

    async def _frame(
        self, start: int, index: int, share: float, shape: MouthShape, emphasis: Emphasis, audio: Samples,
        sentence: Sentence, skip: bool = False,
    ) -> VideoFrame:  # fmt: skip
        lift = emphasis.feel(shape.open)
        share = _smooth(min(share, index / EASE_IN))
        pixels: Pixels | None = None
        if not skip:
            pixels = await self._painter.call("talk", start + index, _begun(shape, index), lift, share)
        self._lived = max(self._lived, start + index + 1)
        return VideoFrame(pixels, audio, index / FPS, sentence)

    async def idle(self, seconds: float) -> AsyncGenerator[VideoFrame, None]:
        """Yield a loop of the silent face: it starts and ends looking straight ahead."""
        await self._dress()
        length = max(1, round(seconds * FPS))
        for index in range(length):
            pixels: Pixels = await self._painter.call("rest", index, length)
            yield VideoFrame(pixels, np.zeros(FRAME_SAMPLES, np.int16), index / FPS)


def _begun(shape: MouthShape, index: int) -> MouthShape:
    """The mouth on its way from rest."""
    part = min(1.0, (index + 1) / (MOUTH_IN + 1))
    wide = REST.wide + (shape.wide - REST.wide) * part
    return replace(shape, open=shape.open * part, wide=wide, round=shape.round * part, teeth=shape.teeth * part)


def _smooth(share: float) -> float:
    return share * share * (3 - 2 * share) if share < 1 else 1.0


@asynccontextmanager
async def async_setup(context: PluginContext, config: RenderConfig) -> AsyncIterator[LipSyncRenderer]:
    """Open the painter; leaving the block puts it down."""
    from avatard.plugins.drawn.engine import Painter

    MouthTracker()  # reads its weights now, so that what is wrong with them is told before anybody speaks
    painter = context.model(Painter, MEGABYTES, palette=config.palette, size=config.size, seed=config.seed)
    try:
        await painter.load()
        yield DrawnFace(painter, config.palette)
    finally:
        await painter.unload()
