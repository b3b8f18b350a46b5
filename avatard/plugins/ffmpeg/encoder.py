"""H.264 and AAC by ffmpeg, picture and sound with explicit timestamps in one stream."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from avatard.api.context import PluginContext
from avatard.api.errors import ConfigError, NotReady
from avatard.api.flow import Container, EncodedChunk, VideoFrame
from avatard.api.stages import VideoEncoder
from avatard.plugins.ffmpeg.config import EncoderConfig
from avatard.plugins.ffmpeg.finished import finished
from avatard.plugins.ffmpeg.line import Line
from avatard.plugins.ffmpeg.remembering import Remembered
from avatard.plugins.ffmpeg.stream import Stream


class FfmpegEncoder:
    """Starts one ffmpeg for each stream."""

    def __init__(self, program: str, config: EncoderConfig, line: Line | None = None) -> None:
        """Use this ffmpeg, and who serves in the line."""
        self._line = line or Line(program, config)

    @property
    def known_as(self) -> str:
        """The encoder that serves, e.g. ``libx264``; empty while none is chosen."""
        return self._line.known_as

    async def encode(self, frames: AsyncIterator[VideoFrame], container: Container) -> AsyncIterator[EncodedChunk]:
        """Yield the stream, or the finished file; a chunk's pts is that of the first picture inside.

        Raises:
            StageFailed: ffmpeg died or is stuck, and no other could go on.
            NotReady: it cannot be started.
        """
        made: AsyncGenerator[EncodedChunk, None]
        made = finished(self._line, frames) if container == "mp4" else Stream(self._line, container).chunks(frames)
        async with aclosing(made) as chunks:
            async for chunk in chunks:
                yield chunk


def find(path: Path | None) -> str:
    """The ffmpeg to use: the given one, the system's, or the one inside imageio-ffmpeg.

    Raises:
        ConfigError: the given one is no program.
        NotReady: there is none.
    """
    if path is not None:
        if not path.is_file() or not os.access(path, os.X_OK):
            what = "is not executable" if path.is_file() else "does not exist"
            raise ConfigError(f"encoder: path: {path} {what}; leave it out to use the system's ffmpeg")
        return str(path)
    if system := shutil.which("ffmpeg"):
        return system
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as err:
        raise NotReady("there is no ffmpeg: sudo apt install ffmpeg, or pip install imageio-ffmpeg") from err


@asynccontextmanager
async def async_setup(context: PluginContext, config: EncoderConfig) -> AsyncIterator[VideoEncoder]:
    """Find ffmpeg, and who serves: in the background, or at once where the configuration leaves no choice."""
    program = find(config.path)
    line = Line(program, config, Remembered(context.cache / "encoder.json"), context.news)
    if config.encoder != "auto":
        await line.settle()
    context.run("look", line.look)
    yield FfmpegEncoder(program, config, line)
