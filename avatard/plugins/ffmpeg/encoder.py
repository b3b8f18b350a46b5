"""H.264 and AAC by ffmpeg, picture and sound with explicit timestamps in one stream."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import cast

import numpy as np

from avatard.api.context import PluginContext
from avatard.api.errors import NotReady
from avatard.api.flow import FPS, SPEECH_RATE, Container, EncodedChunk, VideoFrame
from avatard.api.stages import VideoEncoder
from avatard.plugins.ffmpeg import matroska
from avatard.plugins.ffmpeg.config import EncoderConfig
from avatard.plugins.ffmpeg.process import Running

MUXERS: dict[Container, list[str]] = {
    "fmp4": ["-f", "mp4", "-movflags", "empty_moov+default_base_moof+cmaf", "-frag_duration", "40000"],
    "mpegts": ["-f", "mpegts", "-muxdelay", "0", "-muxpreload", "0"],
}
"""Fragments of one picture; with ``cmaf`` pictures stay exactly 40 ms apart."""


class FfmpegEncoder:
    """Starts one ffmpeg for each stream."""

    def __init__(self, program: str, config: EncoderConfig) -> None:
        """Use this ffmpeg."""
        self._program, self._config = program, config

    async def encode(self, frames: AsyncIterator[VideoFrame], container: Container) -> AsyncIterator[EncodedChunk]:
        """Yield the stream in the pieces in which it comes; a piece's pts is that of the newest picture sent.

        Raises:
            StageFailed: ffmpeg died or is stuck.
            NotReady: it cannot be started.
        """
        running: Running | None = None
        pts, first = 0.0, True
        picture = b""
        try:
            async with aclosing(cast("AsyncGenerator[VideoFrame, None]", frames)):
                async for frame in frames:
                    pts = frame.pts
                    if running is None:
                        size = frame.pixels if frame.pixels is not None else np.zeros((64, 64, 3), np.uint8)
                        running, picture = Running(self._command(container)), size.tobytes()
                        await running.put(matroska.header(size.shape[1], size.shape[0], SPEECH_RATE))
                    if frame.pixels is not None:
                        picture = frame.pixels.tobytes()
                    await running.put(matroska.cluster(round(pts * 1000), picture, frame.audio.tobytes()))
                    for data in running.taken():
                        yield EncodedChunk(data, pts, first)
                        first = False
            if running is not None:
                await running.put(None)
                async with aclosing(running.rest()) as rest:
                    async for data in rest:
                        yield EncodedChunk(data, pts, first)
                        first = False
        finally:
            if running is not None:
                running.close()

    def _command(self, container: Container) -> list[str]:
        config = self._config
        return [
            self._program, "-hide_banner", "-nostdin", "-loglevel", "error",
            "-probesize", "32", "-analyzeduration", "0", "-f", "matroska", "-i", "pipe:0",
            "-map", "0:v", "-map", "0:a", "-c:v", "libx264", "-preset", config.preset, "-tune", "zerolatency",
            "-crf", str(config.crf), "-g", str(FPS), "-bf", "0", "-pix_fmt", "yuv420p", "-fps_mode", "passthrough",
            "-threads:v", "1", "-c:a", "aac", "-b:a", f"{config.audio_kbps}k", "-ar", str(SPEECH_RATE),
            "-flush_packets", "1", *MUXERS[container], "pipe:1",
        ]  # fmt: skip


def find(path: Path | None) -> str:
    """The ffmpeg to use: the given one, the system's, or the one inside imageio-ffmpeg.

    Raises:
        NotReady: there is none.
    """
    if path is not None:
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
    """Find ffmpeg; it is started with each stream."""
    yield FfmpegEncoder(find(config.path), config)
