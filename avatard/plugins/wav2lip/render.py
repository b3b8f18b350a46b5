"""Speech into pictures of a face whose mouth a network draws."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from avatard.api.context import Model, PluginContext
from avatard.api.errors import ConfigError, Refused, StageFailed
from avatard.api.flow import FPS, FRAME_SAMPLES, Pixels, Samples, Sentence, SpeechAudio, VideoFrame
from avatard.api.stages import LipSyncRenderer
from avatard.face.bundle import Face, find, names
from avatard.face.compose import FADE, Fade
from avatard.face.cut import Block, batches
from avatard.face.wardrobe import Wardrobe
from avatard.plugins.wav2lip.canvas import Canvas, Worn, looks_of, there_and_back
from avatard.plugins.wav2lip.config import RenderConfig
from avatard.plugins.wav2lip.hearing import Hearing, Window, silent

MEGABYTES = 300
OURS = Path(sys.executable)
"""The network lives in a child: a file that breaks onnxruntime ends the child alone, and all memory is given back."""
BUILDING = 700
"""Megabytes while the parts are made: the file, its weights, and the sessions that prove them."""
CANVAS = 20
LOOKS = 8
"""Faces that the network looks at in one call while it opens."""
CAREFUL = 5
"""Pictures at an answer's start that are drawn one by one: the first must not wait for others."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture that is due."""

    window: Window
    audio: Samples
    sentence: Sentence
    index: int
    """Since the answer began."""
    number: int
    """Of the face's picture under it."""
    share: float
    """How much of the drawn mouth is seen, 0-1."""
    left_out: bool
    """At half rate every second one is."""


class NetworkFace:
    """A face whose mouth is drawn by the network while it speaks; in silence the plain picture is shown."""

    def __init__(
        self, network: Model, canvas: Model, worn: Worn, path: Path, batch: int, offset: int,
        known: Callable[[], dict[str, Path]] = names,
    ) -> None:  # fmt: skip
        """Take the two models.

        Args:
            network: draws mouths.
            canvas: lays them.
            worn: the face with which it begins.
            path: where that was read.
            batch: most pictures drawn at once.
            offset: milliseconds by which the network hears later.
            known: who knows the other faces.
        """
        self._network, self._canvas, self._worn = network, canvas, worn
        self._batch, self._offset = batch, offset
        self._faces = Wardrobe(path, known)
        self._lived = 0
        self.rate: Literal["full", "half"] = "full"

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
        height, width = self._worn.crops[0].shape[:2]
        try:
            face = await self._canvas.call("read", str(path))
        except ConfigError as err:
            raise Refused(str(err)) from err
        self._worn = await self._canvas.call("wear", face, height, width)
        self._faces.worn = path

    async def render(self, speech: AsyncIterator[SpeechAudio]) -> AsyncGenerator[VideoFrame, None]:
        """Yield the frames of one answer, as many at once as there is sound for."""
        hearing, fade, worn = Hearing(self._offset), Fade(), self._worn
        waiting: deque[Block] = deque()
        start, index = self._lived, 0
        async with self._network.use(), aclosing(self._heard(speech, hearing, waiting)) as lots:
            async for windows, last in lots:
                while windows:
                    count = 1 if index < CAREFUL else self._batch
                    due: list[Picture] = []
                    for window in windows[:count]:
                        ending = last and len(windows) - len(due) <= FADE
                        share = fade.step(not silent(window) and not ending)
                        number = worn.face.loop[(start + index + len(due)) % len(worn.face.loop)]
                        final = last and len(windows) - len(due) == 1
                        left_out = self.rate == "half" and (index + len(due)) % 2 == 1 and not final
                        due.append(Picture(window, *waiting.popleft(), index + len(due), number, share, left_out))
                    del windows[:count]
                    for picture, pixels in zip(due, await self._draw(worn, due), strict=True):
                        self._lived = max(self._lived, start + picture.index + 1)
                        yield VideoFrame(pixels, picture.audio, picture.index / FPS, picture.sentence)
                    index += len(due)

    async def _heard(
        self, speech: AsyncIterator[SpeechAudio], hearing: Hearing, waiting: deque[Block]
    ) -> AsyncGenerator[tuple[list[Window], bool], None]:
        """Yield the windows that each piece completes, and whether they are the last; its blocks wait for theirs."""
        async with aclosing(batches(speech)) as lots:
            async for lot in lots:
                waiting.extend(lot)
                yield hearing.feed([audio for audio, _ in lot]), False
        yield hearing.finish(), True

    async def _draw(self, worn: Worn, due: list[Picture]) -> list[Pixels | None]:
        seen = [picture for picture in due if picture.share > 0 and not picture.left_out]
        lower = b""
        if seen:
            crops = [worn.crops[picture.number].tobytes() for picture in seen]
            mel = np.stack([picture.window for picture in seen]).astype(np.float32).tobytes()
            lower = await self._network.call("draw", crops, mel)
            if not lower or len(lower) % len(seen):
                raise StageFailed("render", "wav2lip", "the network gave no picture")
        size = len(lower) // max(1, len(seen))
        drawn = iter([lower[at : at + size] for at in range(0, len(lower), size or 1)])
        return [
            None if picture.left_out
            else await self._canvas.call("lay", worn, picture.number, next(drawn), picture.share)
            if picture.share > 0 else worn.face.frames[picture.number]
            for picture in due
        ]  # fmt: skip

    async def idle(self, seconds: float) -> AsyncGenerator[VideoFrame, None]:
        """Yield a silent loop of the face."""
        face = self._worn.face
        for index, number in enumerate(there_and_back(face.loop, max(1, round(seconds * FPS)))):
            yield VideoFrame(face.frames[number], np.zeros(FRAME_SAMPLES, np.int16), index / FPS)


@asynccontextmanager
async def async_setup(context: PluginContext, config: RenderConfig) -> AsyncIterator[LipSyncRenderer]:
    """Take the network apart where that was not done yet, and open it; leaving the block puts it down."""
    from avatard.plugins.wav2lip.engine import Engine

    path = find(config.face)
    canvas = context.model(Canvas, CANVAS, size=config.size)
    try:
        face: Face = await canvas.call("read", str(path))
        folder = await _built(context, config, face)
        network = context.model(
            Engine, MEGABYTES, python=config.python or OURS, folder=folder, threads=config.threads,
            providers=["auto"] if config.providers == "auto" else list(config.providers), room=_room(config),
        )  # fmt: skip
        try:
            await network.load()
            how = await network.call("describe")
            if how["resists"] and config.split:
                context.logger.warning("wav2lip: %s runs whole, which is slower: %s", config.model, how["resists"])
            worn: Worn = await canvas.call("wear", face, how["height"], how["width"])
            crops = [crop.tobytes() for crop in worn.crops[: how["room"]]]
            for at in range(0, len(crops), LOOKS):
                await network.call("warm", crops[at : at + LOOKS])
            yield NetworkFace(network, canvas, worn, path, config.batch, config.audio_offset_ms)
        finally:
            await network.unload()
    finally:
        await canvas.unload()


def _room(config: RenderConfig) -> int:
    """Bytes for what is kept of faces."""
    return config.keep_mb * 1_000_000


async def _built(context: PluginContext, config: RenderConfig, face: Face) -> str:
    """The folder of the parts; they are made in a child of their own, all of whose memory is given back."""
    from avatard.plugins.wav2lip.build import Builder

    room = _room(config) // len(face.frames)
    on_card = config.providers != "auto" and config.providers[0] != "cpu"
    model = "random" if config.model == "random" else str(context.model_path(config.model, "lip-sync"))
    builder = context.model(
        Builder, BUILDING, python=OURS,
        model=model, cache=str(context.cache), split=config.split, full_precision=not on_card,
    )  # fmt: skip
    looks = looks_of(face) if config.precision == "int8" and config.split and not on_card else []
    folder = ""
    try:
        async with aclosing(builder.stream("build", room, looks)) as steps:
            async for step in steps:
                folder = step.get("folder", "")
                if "warning" in step:
                    context.logger.warning("wav2lip: %s: %s", config.model, step["warning"])
                elif "doing" in step:
                    context.logger.info("wav2lip: %s", step["doing"])
        return folder
    finally:
        await builder.unload()
