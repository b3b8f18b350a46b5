"""Speech into pictures of a talking photograph."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from avatard.api.context import Model, PluginContext
from avatard.api.errors import ConfigError, Refused
from avatard.api.flow import FPS, FRAME_SAMPLES, Pixels, Samples, Sentence, SpeechAudio, VideoFrame
from avatard.api.stages import LipSyncRenderer
from avatard.face.bundle import find, names
from avatard.face.cut import Block, batches
from avatard.face.shapes import AT_ONCE, MouthShape, MouthTracker
from avatard.face.wardrobe import Wardrobe
from avatard.plugins.warp.config import RenderConfig

MEGABYTES = 90
AHEAD, AFTER = 3, 8
"""Pictures before a sound in which the mouth leaves the photograph's own, and after it until it goes back."""
STEP = 1 / 4
"""How much of the way it goes in one picture."""
EASE_IN = 12
"""Pictures in which an answer leaves the pose that the silent loop begins and ends with."""
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
        return _smooth(self._at)

    def lift(self, opened: float) -> float:
        """How far the brows are raised, 0-1."""
        self._fast += (opened - self._fast) / 4
        self._slow += (opened - self._slow) / 30
        self._lift += (min(1.0, max(0.0, 2.2 * (self._fast - self._slow) - 0.15)) - self._lift) / 5
        return self._lift


class TalkingPhotograph:
    """Follows the sound with its mouth; its breath and blinks go on from one answer to the next."""

    def __init__(self, puppet: Model, path: Path, known: Callable[[], dict[str, Path]] = names) -> None:
        """Take the model that draws, the face with which it begins, and who knows the others."""
        self._puppet, self._faces = puppet, Wardrobe(path, known)
        self.rate: Literal["full", "half"] = "full"
        self._lived = 0
        self._dressed = False

    @property
    def choices(self) -> tuple[str, ...]:
        """The faces that can be had."""
        return self._faces.choices

    @property
    def chosen(self) -> str:
        """The face that it wears."""
        return self._faces.chosen

    async def choose(self, name: str) -> None:
        """Wear another face from the next answer on.

        Raises:
            Refused: there is no such face, or it cannot be used.
        """
        path = self._faces.find(name)
        try:
            await self._puppet.call("check", str(path))
        except ConfigError as err:
            raise Refused(str(err)) from err
        self._faces.worn = path

    async def _dress(self) -> None:
        """A model that was put down comes back with its first face."""
        if self._faces.worn != self._faces.first or self._dressed:
            self._dressed = True
            await self._puppet.call("wear", str(self._faces.worn))

    async def render(self, speech: AsyncIterator[SpeechAudio]) -> AsyncGenerator[VideoFrame, None]:
        """Yield the frames of one answer, some pictures of sound behind; first and last meet the silent loop."""
        await self._dress()
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
        share = turnout.share(item.speaks, soon, left)
        lift = share * turnout.lift(item.shape.open)
        life = _smooth(min(1.0, index / EASE_IN, left / (AHEAD + 1)))
        pixels: Pixels | None = None
        if self.rate == "full" or index % 2 == 0 or not left:
            pixels = await self._puppet.call("talk", start + index, item.shape, lift, share, life)
        self._lived = max(self._lived, start + index + 1)
        return VideoFrame(pixels, item.audio, index / FPS, item.sentence)

    async def idle(self, seconds: float) -> AsyncGenerator[VideoFrame, None]:
        """Yield a loop of the silent photograph: it starts and ends at rest."""
        await self._dress()
        length = max(1, round(seconds * FPS))
        for index in range(length):
            pixels: Pixels = await self._puppet.call("rest", index, length)
            yield VideoFrame(pixels, np.zeros(FRAME_SAMPLES, np.int16), index / FPS)


def _smooth(share: float) -> float:
    return share * share * (3 - 2 * share)


async def _shaped(speech: AsyncIterator[SpeechAudio]) -> AsyncGenerator[Waiting, None]:
    """Yield each block of sound with its mouth."""
    tracker = MouthTracker()
    waiting: deque[Block] = deque()
    async with aclosing(batches(speech, AT_ONCE)) as lots:
        async for lot in lots:
            waiting.extend(lot)
            for shape in tracker.feed(*(audio for audio, _ in lot)):
                yield _joined(waiting.popleft(), shape)
    for shape in tracker.finish():
        yield _joined(waiting.popleft(), shape)


def _joined(piece: Block, shape: MouthShape) -> Waiting:
    return Waiting(*piece, shape, shape.open > SOUND or shape.round > 0.25)


@asynccontextmanager
async def async_setup(context: PluginContext, config: RenderConfig) -> AsyncIterator[LipSyncRenderer]:
    """Open the face; leaving the block puts it down."""
    from avatard.plugins.warp.engine import Puppet

    path = find(config.face)
    puppet = context.model(Puppet, MEGABYTES, path=str(path), size=config.size, seed=config.seed)
    try:
        await puppet.load()
        yield TalkingPhotograph(puppet, path)
    finally:
        await puppet.unload()
