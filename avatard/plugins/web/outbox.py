"""What waits to be sent to one browser: bounded, the oldest pictures go, the sound stays."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from avatard.plugins.web import wire

PICTURES = 50
"""Pictures that may wait (2 s); then the oldest one becomes a repetition of the one before."""
PIECES = 75
"""Pieces of an H.264 stream that may wait (3 s); then all of them go, up to the next keyframe."""
MESSAGES = 1000
"""Messages of any kind that may wait: half a minute of frames, and some news. Whoever has more is closed."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame of the canvas stream as two messages, of which a browser gets one."""

    sounding: bytes
    silent: bytes
    repeated: bytes
    """With its sound, without its picture."""
    silent_repeated: bytes
    picture: bool


def framed(answer: int, pts: float, sound: bytes, jpeg: bytes) -> Frame:
    """Wrap a frame; an empty ``jpeg`` repeats the last picture."""
    repeated = wire.binary(wire.FRAME, wire.REPEAT, answer, pts, sound)
    silent_repeated = wire.binary(wire.FRAME, wire.REPEAT, answer, pts)
    if not jpeg:
        return Frame(repeated, silent_repeated, repeated, silent_repeated, False)
    sounding = wire.binary(wire.FRAME, 0, answer, pts, sound, jpeg)
    return Frame(sounding, wire.binary(wire.FRAME, 0, answer, pts, b"", jpeg), repeated, silent_repeated, True)


@dataclass(slots=True, eq=False)
class _Waiting:
    data: str | bytes
    instead: bytes = b""
    """Of a picture: what is sent where it has to go."""
    piece: bool = False
    answer: bool = True
    """Whether it goes with the answer when that is ended."""


class Outbox:
    """One browser's queue."""

    def __init__(self) -> None:
        """Nothing waits."""
        self.dropped = 0
        """Pictures and pieces that it was too slow for."""
        self.full = False
        """More waits than may: it is to be closed."""
        self._waiting: deque[_Waiting] = deque()
        self._pictures: deque[_Waiting] = deque()
        self._pieces = 0
        self._skipping = False
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    def put(self, data: str | bytes) -> None:
        """Add a message that is never left out."""
        self._add(_Waiting(data, answer=False))

    def frame(self, frame: Frame, sounding: bool) -> None:
        """Add a frame; when too many pictures wait, the oldest one goes."""
        data, instead = (frame.sounding, frame.repeated) if sounding else (frame.silent, frame.silent_repeated)
        waiting = _Waiting(data, instead)
        if frame.picture:
            if len(self._pictures) >= PICTURES:
                oldest = self._pictures.popleft()
                oldest.data = oldest.instead
                self.dropped += 1
            self._pictures.append(waiting)
        self._add(waiting)

    def piece(self, data: bytes, initial: bool, key: bool) -> None:
        """Add a piece of an H.264 stream; when too many wait, they go, and what comes before the next keyframe."""
        if self._skipping and not (key or initial):
            self.dropped += 1
            return
        self._skipping = self._skipping and not key
        if not initial and self._pieces >= PIECES:
            kept = deque(w for w in self._waiting if not w.piece)
            self.dropped += len(self._waiting) - len(kept)
            self._waiting, self._pieces = kept, 0
            if not key:
                self._skipping = True
                self.dropped += 1
                return
        self._pieces += not initial
        self._add(_Waiting(data, piece=not initial))

    def clear(self) -> None:
        """Drop pictures, sound and pieces: the answer was ended."""
        self._waiting = deque(w for w in self._waiting if not w.answer)
        self._pictures.clear()
        self._pieces, self._skipping = 0, False

    async def take(self) -> str | bytes:
        """Take the oldest message, once there is one."""
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()
        waiting = self._waiting.popleft()
        if self._pictures and self._pictures[0] is waiting:
            self._pictures.popleft()
        self._pieces -= waiting.piece
        return waiting.data

    def _add(self, waiting: _Waiting) -> None:
        if len(self._waiting) >= MESSAGES:
            self.full = True
            return
        self._waiting.append(waiting)
        self._changed.set()
