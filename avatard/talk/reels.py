"""Finished announcements as displays took them: what is said again is not even encoded again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

import numpy as np

from avatard.api.flow import FPS, FRAME_SAMPLES, Container, EncodedChunk, Samples, Sentence, VideoFrame


@dataclass(frozen=True, slots=True, eq=False)
class Reel:
    """A finished answer: its sound, whose sentence each frame is, and its encoded streams."""

    sound: Samples
    sentences: tuple[Sentence | None, ...]
    streams: dict[Container, tuple[EncodedChunk, ...]]

    @property
    def bytes(self) -> int:
        """What it takes."""
        return self.sound.nbytes + sum(len(chunk.data) for chunks in self.streams.values() for chunk in chunks)

    async def frames(self) -> AsyncGenerator[VideoFrame, None]:
        """Yield its frames; the pictures are in the streams alone."""
        for index, sentence in enumerate(self.sentences):
            await asyncio.sleep(0)
            sound = self.sound[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES]
            yield VideoFrame(None, sound, index / FPS, sentence)

    async def chunks(
        self, container: Container, frames: AsyncIterator[VideoFrame]
    ) -> AsyncGenerator[EncodedChunk, None]:
        """Yield a stream again, each piece with the frame with which it came."""
        chunks = iter(self.streams[container])
        due = next(chunks, None)
        async for frame in frames:
            while due is not None and due.pts <= frame.pts:
                yield due
                due = next(chunks, None)
        while due is not None:
            yield due
            due = next(chunks, None)


class Filming:
    """Takes an answer's frames and streams as they go by."""

    def __init__(self, longest: int) -> None:
        """Take at most so many bytes."""
        self._room = longest
        self._sound: list[Samples] = []
        self._sentences: list[Sentence | None] = []
        self._streams: dict[Container, list[EncodedChunk]] = {}
        self._whole: set[Container] = set()

    async def frames(self, frames: AsyncGenerator[VideoFrame, None]) -> AsyncGenerator[VideoFrame, None]:
        """Pass the frames on."""
        async with aclosing(frames):
            async for frame in frames:
                if self._room > 0:
                    self._room -= frame.audio.nbytes
                    self._sound.append(frame.audio)
                    self._sentences.append(frame.sentence)
                yield frame

    async def chunks(
        self, container: Container, chunks: AsyncIterator[EncodedChunk]
    ) -> AsyncGenerator[EncodedChunk, None]:
        """Pass a stream on; the first of each container is taken."""
        taken: list[EncodedChunk] | None = None
        headers = 0
        if container not in self._streams:
            taken = self._streams[container] = []
        async with aclosing(cast("AsyncGenerator[EncodedChunk, None]", chunks)):
            async for chunk in chunks:
                if taken is not None and self._room > 0:
                    self._room -= len(chunk.data)
                    taken.append(chunk)
                headers += chunk.header
                yield chunk
        # Behind a second header another encoder went on: not what is worth keeping.
        if taken is not None and headers <= 1:
            self._whole.add(container)

    def spoiled(self, container: Container) -> None:
        """Frames were missing in the stream."""
        self._whole.discard(container)

    def reel(self) -> Reel | None:
        """What was taken; None where there is no whole stream, or it is too long."""
        if self._room <= 0 or not self._sound or not self._whole:
            return None
        streams = {container: tuple(self._streams[container]) for container in self._whole}
        return Reel(np.concatenate(self._sound), tuple(self._sentences), streams)
