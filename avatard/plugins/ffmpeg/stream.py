"""One answer on its way through as many ffmpegs as it takes."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

import numpy as np

from avatard.api import matroska
from avatard.api.errors import StageFailed
from avatard.api.flow import FPS, SPEECH_RATE, Container, EncodedChunk, Pixels, VideoFrame
from avatard.plugins.ffmpeg.coders import SOFTWARE, Coder, command, fitted
from avatard.plugins.ffmpeg.fragments import Fragments
from avatard.plugins.ffmpeg.line import Line
from avatard.plugins.ffmpeg.packets import Packets
from avatard.plugins.ffmpeg.process import STARTING, Running, Stuck

log = logging.getLogger("avatard.encoder.ffmpeg")

KEPT = 2 * FPS
"""Frames that are kept until they have come out, so that another ffmpeg can be given them again."""
AGAIN = 10.0
"""Seconds: an encoder that dies twice within them is not started a third time."""
HARDWARE_STARTING = 5.0
"""Seconds for an encoder's first output where libx264 can take its place."""
FRUITLESS = 4
"""Starts in a row without any picture after which the answer is given up."""
BLACK = np.zeros((64, 64, 3), np.uint8)


class Stream:
    """Encodes frames; where ffmpeg dies or is stuck, the next one goes on with the frames that did not come out."""

    def __init__(self, line: Line, container: Container) -> None:
        """Use who is best in the line."""
        self._line, self._container = line, container
        self._coder: Coder = SOFTWARE
        self._run: _Run | None = None
        self._kept: deque[tuple[VideoFrame, Pixels]] = deque(maxlen=KEPT)
        self._picture: Pixels | None = None
        self._out: list[EncodedChunk] = []
        self._died_at = -AGAIN
        self._fruitless = 0

    async def chunks(self, frames: AsyncIterator[VideoFrame]) -> AsyncGenerator[EncodedChunk, None]:
        """Yield the stream, a chunk as soon as it is complete.

        Raises:
            NotReady: ffmpeg cannot be started.
            StageFailed: nobody could encode it.
        """
        self._coder = await self._line.best()
        try:
            async with aclosing(cast("AsyncGenerator[VideoFrame, None]", frames)):
                async for frame in frames:
                    await self._take(frame)
                    for chunk in self._ready():
                        yield chunk
            await self._finish()
            for chunk in self._ready():
                yield chunk
        finally:
            self._end_run()

    async def _take(self, frame: VideoFrame) -> None:
        picture = frame.pixels if frame.pixels is not None else self._picture
        picture = BLACK if picture is None else picture
        if self._run is not None and self._picture is not None and picture.shape != self._picture.shape:
            await self._finish()
        self._picture = picture
        self._kept.append((frame, picture))
        while True:
            try:
                if self._run is None:
                    await self._start()
                else:
                    await self._run.put(frame, picture)
                self._collect()
                return
            except StageFailed as err:
                self._failed(err)

    async def _finish(self) -> None:
        """End the input and take all that comes; what did not come out is given to another."""
        while self._kept or self._run is not None:
            try:
                run = self._run or await self._start()
                async with aclosing(run.rest()) as rest:
                    async for chunk in rest:
                        self._answered(chunk)
                self._kept.clear()
                self._end_run()
            except StageFailed as err:
                self._failed(err)

    async def _start(self) -> _Run:
        """Begin with the first frame that did not come out."""
        first, picture = self._kept[0]
        self._run = run = _Run(self._line, self._coder, self._container, picture, first.pts)
        for frame, pixels in list(self._kept):
            await run.put(frame, pixels)
        return run

    def _collect(self) -> None:
        if self._run is not None:
            for chunk in self._run.taken():
                self._answered(chunk)

    def _answered(self, chunk: EncodedChunk) -> None:
        self._out.append(chunk)
        if chunk.header:
            return
        self._fruitless = 0
        through = chunk.pts + 1 / self._line.config.fps - 0.5 / FPS
        while self._kept and self._kept[0][0].pts < through:
            self._kept.popleft()

    def _ready(self) -> list[EncodedChunk]:
        ready, self._out = self._out, []
        return ready

    def _failed(self, err: StageFailed) -> None:
        """Save what came out, and say who goes on.

        Raises:
            StageFailed: nobody can.
        """
        try:
            self._collect()
        except StageFailed as broken:
            log.debug("what came out last is broken: %s", broken)
        self._end_run()
        self._fruitless += 1
        if self._fruitless >= FRUITLESS:
            raise err
        again, self._died_at = time.monotonic() - self._died_at < AGAIN, time.monotonic()
        log.warning("%s: %s; %d frames go into the next", self._coder.codec, err.reason, len(self._kept))
        # Hardware that hangs is not better a moment later.
        if (again or isinstance(err, Stuck)) and self._coder is not SOFTWARE:
            self._coder = self._line.died(self._coder, err.reason)

    def _end_run(self) -> None:
        if self._run is not None:
            self._run.close()
            self._run = None


class _Run:
    """One ffmpeg and the cutting of what it makes."""

    def __init__(self, line: Line, coder: Coder, container: Container, picture: Pixels, origin: float) -> None:
        height, width = picture.shape[:2]
        self._origin, self._count = origin, 0
        self._every = round(FPS / line.config.fps)
        self._cutting = Packets(origin) if container == "mpegts" else Fragments(origin)
        size = fitted(width, height, line.config)
        words = command(line.program, coder, line.config, container, size, origin, dev=line.dev)
        self._running = Running(words, STARTING if coder is SOFTWARE else HARDWARE_STARTING)
        self._head = matroska.header(width, height, SPEECH_RATE, line.config.fps)

    async def put(self, frame: VideoFrame, picture: Pixels) -> None:
        """Send a frame; its sound goes in even where its picture is left out."""
        pixels = np.ascontiguousarray(picture).data.cast("B") if self._count % self._every == 0 else None
        self._count += 1
        parts = matroska.parts(round((frame.pts - self._origin) * 1000), pixels, frame.audio.tobytes())
        head, self._head = self._head, b""
        await self._running.put(head, *parts)

    def taken(self) -> list[EncodedChunk]:
        """The chunks that were completed since the last call."""
        return [chunk for data in self._running.taken() for chunk in self._cut(data)]

    async def rest(self) -> AsyncGenerator[EncodedChunk, None]:
        """Yield all that still comes."""
        await self._running.end()
        async with aclosing(self._running.rest()) as rest:
            async for data in rest:
                for chunk in self._cut(data):
                    yield chunk

    def close(self) -> None:
        """End it."""
        self._running.close()

    def _cut(self, data: bytes) -> list[EncodedChunk]:
        try:
            return list(self._cutting.feed(data))
        except ValueError as err:
            raise StageFailed("encoder", "ffmpeg", f"what it makes is broken: {err}") from err
