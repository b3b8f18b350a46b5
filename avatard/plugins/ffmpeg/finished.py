"""A finished MP4, which players and browsers repeat by themselves: written into a file first, for it is sought in."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import cast

import numpy as np

from avatard.api import matroska
from avatard.api.errors import StageFailed
from avatard.api.flow import FPS, FRAME_SAMPLES, SPEECH_RATE, EncodedChunk, Pixels, VideoFrame
from avatard.plugins.ffmpeg.coders import command, fitted
from avatard.plugins.ffmpeg.line import Line
from avatard.plugins.ffmpeg.process import Running

PIECE = 1 << 16
"""bytes"""
SILENCE = bytes(2 * FRAME_SAMPLES)


async def finished(line: Line, frames: AsyncIterator[VideoFrame]) -> AsyncGenerator[EncodedChunk, None]:
    """Yield the file in pieces once the frames have ended; their sound is left out.

    Raises:
        NotReady: ffmpeg cannot be started.
        StageFailed: ffmpeg died or is stuck; the same frames can be given again.
    """
    coder = await line.best()
    with tempfile.TemporaryDirectory(prefix="avatard-") as folder:
        path = Path(folder) / "film.mp4"
        running: Running | None = None
        picture: Pixels | None = None
        origin, every = 0.0, round(FPS / line.config.fps)
        try:
            async with aclosing(cast("AsyncGenerator[VideoFrame, None]", frames)):
                async for frame in frames:
                    picture = frame.pixels if frame.pixels is not None else picture
                    if picture is None:
                        continue
                    if running is None:
                        height, width = picture.shape[:2]
                        words = command(line.program, coder, line.config, "mp4", fitted(width, height, line.config),
                                        output=(str(path),), dev=line.dev)  # fmt: skip
                        running, origin = Running(words), frame.pts
                        await running.put(matroska.header(width, height, SPEECH_RATE, line.config.fps))
                    since = frame.pts - origin
                    if round(since * FPS) % every == 0:
                        pixels = np.ascontiguousarray(picture).data.cast("B")
                        await running.put(*matroska.parts(round(since * 1000), pixels, SILENCE))
            if running is None:
                return
            await running.end()
            async with aclosing(running.rest()) as rest:
                async for _ in rest:
                    raise StageFailed("encoder", "ffmpeg", "it wrote to its output, not to the file")
        except StageFailed as err:
            line.died(coder, err.reason)
            raise
        finally:
            if running is not None:
                running.close()
        with path.open("rb") as file:
            first = True
            while data := file.read(PIECE):
                yield EncodedChunk(data, 0.0, first)
                first = False
