"""Frames' sound behind a length: no video format, but a stream."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.flow import Container, EncodedChunk, VideoFrame
from avatard.api.stages import VideoEncoder
from avatard.plugins.scripted.config import EncoderConfig


class ScriptedEncoder:
    """Wraps each frame's sound."""

    async def encode(self, frames: AsyncIterator[VideoFrame], container: Container) -> AsyncIterator[EncodedChunk]:
        """Yield a header, then a chunk for each frame."""
        yield EncodedChunk(container.encode(), 0.0, True, header=container == "fmp4")
        async for frame in frames:
            data = frame.audio.tobytes()
            yield EncodedChunk(struct.pack(">I", len(data)) + data, frame.pts, True)


@asynccontextmanager
async def async_setup(context: PluginContext, config: EncoderConfig) -> AsyncIterator[VideoEncoder]:
    """Nothing to open."""
    yield ScriptedEncoder()
