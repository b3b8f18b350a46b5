"""The H.264 stream of an answer: one encoder for all browsers that want it, none where nobody does."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Protocol, cast

from avatard.api.errors import AvatardError
from avatard.api.flow import EncodedChunk, VideoFrame
from avatard.api.stages import VideoEncoder
from avatard.plugins.web import boxes, wire
from avatard.plugins.web.client import Client

WAITING = 75
"""Frames that may wait for the encoder (3 s); then it is given up for this answer."""
KEPT = 100
"""Pieces since the last keyframe that are kept for who comes later."""
END_LIMIT = 2.0
"""Seconds that the encoder has for the rest, once the frames have ended."""

log = logging.getLogger("avatard.bridge.web")


class Screening(Protocol):
    """Who watches: the display."""

    @property
    def watching(self) -> list[Client]:
        """Everybody who sees it."""

    def film_begins(self, codecs: str) -> list[Client]:
        """Tell those who wait for the stream."""

    def refuse_film(self, clients: list[Client]) -> None:
        """Go on without it."""


class Film:
    """One answer's stream."""

    def __init__(self, encoder: VideoEncoder, screening: Screening) -> None:
        """Nothing is encoded yet."""
        self.codecs = ""
        self.initial = b""
        self.since_key: list[tuple[bytes, bool]] = []
        """The pieces since the newest keyframe, and whether each is one."""
        self.failed = False
        self._encoder, self._screening = encoder, screening
        self._frames: deque[VideoFrame | None] = deque()
        self._arrived = asyncio.Event()

    def feed(self, frame: VideoFrame | None) -> None:
        """Add a frame; None after the last."""
        if self.failed:
            return
        if frame is not None and len(self._frames) >= WAITING:
            self.fail("the encoder is too slow")
            return
        self._frames.append(frame)
        self._arrived.set()

    def fail(self, why: str) -> None:
        """Give it up; those who saw it go on with pictures."""
        if not self.failed:
            self.failed = True
            self._frames.clear()
            self.feed_end()
            log.warning("h264: %s; browsers get pictures for this answer", why)
            self._screening.refuse_film(
                [c for c in self._screening.watching if c.stream == "h264" and c.playing != "canvas"]
            )

    def feed_end(self) -> None:
        """No more frames come."""
        self._frames.append(None)
        self._arrived.set()

    async def run(self, number: int) -> None:
        """Encode to the end."""
        cutter = boxes.Cutter()
        try:
            chunks = cast("AsyncGenerator[EncodedChunk, None]", self._encoder.encode(self._waiting(), "fmp4"))
            async with aclosing(chunks):
                async for chunk in chunks:
                    if self.failed:
                        return
                    for segment in cutter.feed(chunk.data):
                        self._give(segment, number, chunk.pts)
        except (AvatardError, ValueError) as err:
            self.fail(str(err))

    async def _waiting(self) -> AsyncIterator[VideoFrame]:
        while True:
            while not self._frames:
                self._arrived.clear()
                await self._arrived.wait()
            frame = self._frames.popleft()
            if frame is None:
                return
            yield frame

    def _give(self, segment: boxes.Segment, number: int, pts: float) -> None:
        flags = wire.INITIAL * segment.initial | wire.KEY * segment.key
        data = wire.binary(wire.PIECE, flags, number, pts, b"", segment.data)
        if segment.initial:
            self.initial, self.since_key = data, []
            if not self.codecs:
                self.codecs = boxes.codecs(segment.data)
                self._screening.film_begins(self.codecs)
        else:
            self.since_key = [] if segment.key else self.since_key[-KEPT:]
            self.since_key.append((data, segment.key))
        for client in self._screening.watching:
            if client.playing == "h264":
                client.outbox.piece(data, segment.initial, segment.key)


class Filming:
    """Makes films where they are wanted."""

    def __init__(self, encoder: VideoEncoder | None) -> None:
        """Encode with this; None: pictures only."""
        self._encoder = encoder
        self._film: Film | None = None

    @asynccontextmanager
    async def open(self, screening: Screening, number: int) -> AsyncIterator[Film | None]:
        """Encode an answer while the block runs; what the encoder still holds at its end is waited for."""
        if self._encoder is None or not any(client.stream == "h264" for client in screening.watching):
            yield None
            return
        film = self._film = Film(self._encoder, screening)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(film.run(number))
                yield film
                film.feed_end()
                await asyncio.wait({running}, timeout=END_LIMIT)
                running.cancel()
        finally:
            self._film = None

    def codecs(self) -> str | None:
        """What the stream in progress is; None where there is none to join."""
        film = self._film
        return film.codecs if film is not None and film.initial and not film.failed else None

    def catch_up(self, client: Client) -> None:
        """Give somebody who has just come the stream from its newest keyframe on."""
        if self._film is not None:
            client.outbox.piece(self._film.initial, True, False)
            for data, key in self._film.since_key:
                client.outbox.piece(data, False, key)
