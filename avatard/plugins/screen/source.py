"""What goes into the player: frames as Matroska, or an encoder's stream; what was not heard yet can be sent again."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from avatard.api import matroska
from avatard.api.flow import FPS, FRAME_SAMPLES, SPEECH_RATE, EncodedChunk, Pixels, Samples, VideoFrame

KEPT = 2 * FPS
"""Pieces that are kept until they were heard."""
FADE = 6
"""Pictures in which an answer comes out of the loop and goes back into it."""
SAME = 1.5
"""Mean difference of two pictures, of 255, below which no eye sees a jump."""
SILENCE = np.zeros(FRAME_SAMPLES, np.int16)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the stream."""

    data: bytes
    pts: float
    """When it is due, seconds"""
    ends: float
    """When all of it has been heard, seconds"""
    needed: bool = True
    """Whether what follows cannot be read without it."""


class Source(Protocol):
    """An answer on its way."""

    demuxer: str
    """How mpv is to read it."""

    async def ready(self) -> bool:
        """Wait for the first piece; False where there is none."""

    def begin(self, rest: Pixels | None) -> None:
        """A player begins to read: a head is due, and the pictures come out of this one."""

    async def next(self) -> Piece | None:
        """The next piece; None at the end."""

    def tail(self, rest: Pixels | None) -> list[Piece]:
        """What leads back to this picture, silently."""

    def rewind(self, heard: float) -> None:
        """Another player will read: what was not heard is sent again."""


class Raw:
    """Frames as they are."""

    demuxer = "demuxer=mkv"

    def __init__(self, frames: AsyncGenerator[VideoFrame, None]) -> None:
        """Take an answer."""
        self._frames = frames
        self._kept: deque[tuple[VideoFrame, Pixels | None]] = deque(maxlen=KEPT)
        self._waiting: deque[tuple[VideoFrame, Pixels | None]] = deque()
        self._picture: Pixels | None = None
        self._rest: Pixels | None = None
        self._faded = 0
        self._shape: tuple[int, ...] = ()
        self._ends = 0.0

    async def ready(self) -> bool:
        """Wait for the first frame."""
        if not self._waiting and (frame := await anext(self._frames, None)) is not None:
            self._picture = frame.pixels if frame.pixels is not None else self._picture
            self._waiting.append((frame, self._picture))
        return bool(self._waiting)

    def begin(self, rest: Pixels | None) -> None:
        """The next frame brings a head along."""
        self._rest, self._faded, self._shape = rest, 0, ()

    async def next(self) -> Piece | None:
        """The next frame; one whose picture is the last one again has only its sound."""
        if not await self.ready():
            return None
        frame, picture = self._waiting.popleft()
        self._kept.append((frame, picture))
        self._ends = frame.pts + 1 / FPS
        first = not self._shape
        repeated = frame.pixels is None and not first and self._faded >= FADE
        return Piece(self._wrapped(frame.pts, None if repeated else picture, frame.audio), frame.pts, self._ends, first)

    def tail(self, rest: Pixels | None) -> list[Piece]:
        """A fade to the loop's first picture, unless the answer ends with it."""
        last = self._picture
        if rest is None or last is None or rest.shape != last.shape or _differ(rest, last) < SAME:
            return []
        pieces = []
        for index in range(FADE):
            pts = self._ends + index / FPS
            picture = _between(last, rest, (index + 1) / FADE)
            pieces.append(Piece(self._wrapped(pts, picture, SILENCE), pts, pts + 1 / FPS))
        return pieces

    def rewind(self, heard: float) -> None:
        """Send again what was not heard."""
        self._waiting.extendleft(kept for kept in reversed(self._kept) if kept[0].pts + 1 / FPS > heard + 1e-6)
        self._kept.clear()

    def _wrapped(self, pts: float, picture: Pixels | None, sound: Samples) -> bytes:
        if picture is None and not self._shape:
            picture = self._rest if self._rest is not None else np.zeros((64, 64, 3), np.uint8)
        if picture is not None and self._faded < FADE:
            self._faded += 1
            if self._rest is not None and self._rest.shape == picture.shape:
                picture = _between(self._rest, picture, self._faded / (FADE + 1))
        head = b""
        if picture is not None and not self._shape:
            self._shape = picture.shape
            head = matroska.header(picture.shape[1], picture.shape[0], SPEECH_RATE)
        pixels = None if picture is None else _fitted(picture, self._shape).tobytes()
        return head + matroska.cluster(round(pts * 1000), pixels, sound.tobytes())


class Encoded:
    """An encoder's stream in fragments; another player goes on with the next picture that stands for itself."""

    demuxer = "demuxer=lavf,demuxer-lavf-format=mp4,demuxer-lavf-probe-info=no,vf=format=colormatrix=bt.601"

    def __init__(self, chunks: AsyncGenerator[EncodedChunk, None]) -> None:
        """Take a stream."""
        self._chunks = chunks
        self._waiting: deque[EncodedChunk] = deque()
        self._head = b""
        self._begun = False

    async def ready(self) -> bool:
        """Wait for the first chunk."""
        if not self._waiting and (chunk := await anext(self._chunks, None)) is not None:
            self._waiting.append(chunk)
        return bool(self._waiting)

    def begin(self, rest: Pixels | None) -> None:
        """The pictures are as the encoder made them."""
        self._begun = False

    async def next(self) -> Piece | None:
        """The next fragment, the first with the head before it."""
        while await self.ready():
            chunk = self._waiting.popleft()
            if chunk.header:
                self._head, self._begun = chunk.data, False
            elif self._begun or chunk.keyframe:
                head, self._begun = b"" if self._begun else self._head, True
                return Piece(head + chunk.data, chunk.pts, chunk.pts + 1 / FPS)
        return None

    def tail(self, rest: Pixels | None) -> list[Piece]:
        """Nothing: it is the encoder's."""
        return []

    def rewind(self, heard: float) -> None:
        """What was on its way is lost."""


def _differ(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one[::4, ::4].astype(np.int16) - other[::4, ::4]).mean())


def _fitted(picture: Pixels, shape: tuple[int, ...]) -> Pixels:
    """The picture in the stream's size: another renderer may have taken over in the middle of it."""
    if picture.shape != shape:
        rows = np.arange(shape[0]) * picture.shape[0] // shape[0]
        columns = np.arange(shape[1]) * picture.shape[1] // shape[1]
        picture = picture[rows][:, columns]
    return np.ascontiguousarray(picture)


def _between(one: Pixels, other: Pixels, share: float) -> Pixels:
    weight = round(share * 256)
    mixed = one.astype(np.uint16) * np.uint16(256 - weight) + other.astype(np.uint16) * np.uint16(weight)
    return (mixed >> 8).astype(np.uint8)
