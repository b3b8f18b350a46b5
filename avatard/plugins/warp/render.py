"""Speech into pictures of a talking photograph."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import numpy as np

from avatard.api.context import Model, PluginContext
from avatard.api.flow import FPS, FRAME_SAMPLES, Pixels, Samples, Sentence, SpeechAudio, VideoFrame
from avatard.api.stages import LipSyncRenderer
from avatard.face.bundle import find
from avatard.face.cut import blocks
from avatard.face.shapes import MouthShape, MouthTracker
from avatard.plugins.warp.config import RenderConfig

MEGABYTES = 90
AHEAD, AFTER = 4, 8
"""Pictures before a sound in which the mouth leaves the photograph's own, and after it until it goes back."""
STEP = 1 / 5
"""How much of the way it goes in one picture."""
SOUND = 0.05
"""A mouth less open than this, and not pursed, is silent."""


@dataclass(slots=True)
class Waiting:
    """One picture's sound and shape."""

    audio: Samples
    sentence: Sentence
    shape: MouthShape
    speaks: bool


class Turnout:
    """How far the mouth has left the photograph's, and how much a syllable stands out; from picture to picture."""

    def __init__(self) -> None:
        """It is silent."""
        self._at = 0.0
        self._since = AFTER
        self._fast = self._slow = self._lift = 0.0

    def share(self, speaks: bool, soon: bool, left: int) -> float:
        """Go on one picture; ``left`` pictures follow this one, as far as is known."""
        self._since = 0 if speaks else self._since + 1
        wanted = soon or self._since < AFTER
        self._at = min(1.0, max(0.0, self._at + (STEP if wanted else -STEP)), left * STEP)
        return 0.5 - 0.5 * math.cos(math.pi * self._at)

    def lift(self, opened: float) -> float:
        """How far the brows are raised, 0-1."""
        self._fast += (opened - self._fast) / 4
        self._slow += (opened - self._slow) / 30
        self._lift += (min(1.0, max(0.0, 2.2 * (self._fast - self._slow) - 0.15)) - self._lift) / 5
        return self._lift


class TalkingPhotograph:
    """Follows the sound with its mouth; its breath and blinks go on from one answer to the next."""

    def __init__(self, puppet: Model) -> None:
        """Take the model that draws."""
        self._puppet = puppet
        self._lived = 0

    async def render(self, speech: AsyncIterator[SpeechAudio]) -> AsyncGenerator[VideoFrame, None]:
        """Yield the frames of one answer, some pictures of sound behind; the last is the photograph's own mouth."""
        start, index = self._lived, 0
        turnout = Turnout()
        waiting: deque[Waiting] = deque()
        async with aclosing(_shaped(speech)) as shaped:
            async for item in shaped:
                waiting.append(item)
                if len(waiting) > AHEAD + 1:
                    yield await self._frame(start, index, turnout, waiting, AHEAD + 1)
                    index += 1
        while waiting:
            yield await self._frame(start, index, turnout, waiting, len(waiting) - 1)
            index += 1

    async def _frame(
        self, start: int, index: int, turnout: Turnout, waiting: deque[Waiting], left: int
    ) -> VideoFrame:
        soon = any(item.speaks for item in list(waiting)[: AHEAD + 1])
        item = waiting.popleft()
        share, lift = turnout.share(item.speaks, soon, left), turnout.lift(item.shape.open)
        pixels: Pixels = await self._puppet.call("talk", start + index, item.shape, lift, share)
        self._lived = max(self._lived, start + index + 1)
        return VideoFrame(pixels, item.audio, index / FPS, item.sentence)

    async def idle(self, seconds: float) -> AsyncGenerator[VideoFrame, None]:
        """Yield a loop of the silent photograph: it starts and ends at rest."""
        length = max(1, round(seconds * FPS))
        for index in range(length):
            pixels: Pixels = await self._puppet.call("rest", index, length)
            yield VideoFrame(pixels, np.zeros(FRAME_SAMPLES, np.int16), index / FPS)


async def _shaped(speech: AsyncIterator[SpeechAudio]) -> AsyncGenerator[Waiting, None]:
    """Yield each block of sound with its mouth."""
    tracker = MouthTracker()
    waiting: deque[tuple[Samples, Sentence]] = deque()
    async with aclosing(blocks(speech)) as pieces:
        async for piece in pieces:
            waiting.append(piece)
            for shape in tracker.feed(piece[0]):
                yield _joined(waiting.popleft(), shape)
    for shape in tracker.finish():
        yield _joined(waiting.popleft(), shape)


def _joined(piece: tuple[Samples, Sentence], shape: MouthShape) -> Waiting:
    return Waiting(*piece, shape, shape.open > SOUND or shape.round > 0.25)


@asynccontextmanager
async def async_setup(context: PluginContext, config: RenderConfig) -> AsyncIterator[LipSyncRenderer]:
    """Open the face; leaving the block puts it down."""
    from avatard.plugins.warp.engine import Puppet

    puppet = context.model(Puppet, MEGABYTES, path=str(find(config.face)), size=config.size, seed=config.seed)
    try:
        await puppet.load()
        yield TalkingPhotograph(puppet)
    finally:
        await puppet.unload()
