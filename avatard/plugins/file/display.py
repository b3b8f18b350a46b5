"""A file as a display: every answer, one after another, in one fragmented MP4."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Literal, cast

from avatard.api.context import PluginContext, Pulse
from avatard.api.errors import AvatardError, ConfigError, StageFailed
from avatard.api.flow import FPS, EncodedChunk, Samples, VideoFrame
from avatard.api.pace import Pace
from avatard.api.stages import DisplaySink, VideoEncoder
from avatard.plugins.file.config import DisplayConfig

AHEAD = 8
"""Frames that may wait for the encoder."""
CLOSE_LIMIT = 10.0
"""Seconds that the encoder may take to finish the file."""


class FileDisplay:
    """Writes the answers; keeps real time unless told otherwise."""

    accepts: Literal["frames"] = "frames"
    pictures = True

    def __init__(self, config: DisplayConfig, context: PluginContext, encoder: VideoEncoder) -> None:
        """Write to the configured path from the first frame on."""
        self.shown = 0.0
        self.late = 0
        self.patient = config.pace == "fast"
        self._config, self._context, self._encoder = config, context, encoder
        self._frames: asyncio.Queue[VideoFrame | None] = asyncio.Queue(AHEAD)
        self._written = asyncio.Event()
        self._written.set()
        self._failure: AvatardError | None = None
        self._count = 0
        self._files = 0

    async def play(self, stream: AsyncIterator[VideoFrame] | AsyncIterator[EncodedChunk]) -> None:
        """Append the frames; return when the last has had its time."""
        pace = Pace(self._config.pace == "real")
        self.shown, self.late = 0.0, 0
        async with aclosing(cast("AsyncGenerator[VideoFrame, None]", stream)) as frames:
            async for frame in frames:
                await pace.until(frame.pts)
                self.late = pace.late
                await self._append(frame)
                self.shown = frame.pts + 1 / FPS
        await pace.until(self.shown)

    async def chime(self, sound: Samples) -> None:
        """The file holds the answers alone."""

    def set_volume(self, percent: int) -> None:
        """The file keeps the voice as it is."""

    async def close(self) -> None:
        """Finish the file."""
        if not self._written.is_set():
            await asyncio.wait_for(self._frames.put(None), CLOSE_LIMIT)
            await asyncio.wait_for(self._written.wait(), CLOSE_LIMIT)

    async def _append(self, frame: VideoFrame) -> None:
        if self._written.is_set():
            self._files += 1
            self._count, self._failure = 0, None
            self._frames = asyncio.Queue(AHEAD)
            self._written.clear()
            self._context.run(f"write {self._path.name}", self._write)
        while self._frames.full() and not self._written.is_set():
            await asyncio.sleep(0.001)
        if self._failure is not None:
            raise StageFailed("encoder", "file", str(self._failure)) from self._failure
        self._frames.put_nowait(dataclasses.replace(frame, pts=self._count / FPS))
        self._count += 1

    @property
    def _path(self) -> Path:
        path = self._config.path
        return path if self._files <= 1 else path.with_stem(f"{path.stem}-{self._files}")

    async def _write(self, pulse: Pulse) -> None:
        try:
            with self._path.open("wb") as file:
                chunks: Any = self._encoder.encode(self._waiting(), "fmp4")
                begun = False
                async with aclosing(chunks):
                    async for chunk in chunks:
                        # Where an encoder died the next one sends its header again. A file has one; times go on,
                        # and every key picture brings its own parameters along.
                        if not (chunk.header and begun):
                            file.write(chunk.data)
                        begun |= chunk.header
        except AvatardError as err:
            self._failure = err
        except OSError as err:
            self._failure = StageFailed("display", "file", f"{self._path}: {err.strerror}")
        finally:
            self._written.set()

    async def _waiting(self) -> AsyncGenerator[VideoFrame, None]:
        while (frame := await self._frames.get()) is not None:
            yield frame


@asynccontextmanager
async def async_setup(context: PluginContext, config: DisplayConfig) -> AsyncIterator[DisplaySink]:
    """Open the file; leaving the block finishes it."""
    if context.encoder is None:
        raise ConfigError("display: platform file needs an encoder: add 'encoder: ffmpeg'")
    try:
        config.path.parent.mkdir(parents=True, exist_ok=True)
        config.path.open("wb").close()
    except OSError as err:
        raise ConfigError(f"display: file: {config.path} cannot be written: {err.strerror}") from err
    display = FileDisplay(config, context, context.encoder)
    try:
        yield display
    finally:
        await display.close()
