"""What is said in an answer, kept until it lies in frames, so that another renderer can go on from any of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np

from avatard.api.flow import FRAME_SAMPLES, Samples, Sentence, SpeechAudio

KEPT = 50
"""Frames whose sound is kept after they were handed on: a renderer begins a little before the frame that is due."""


class Sound:
    """The speech of an answer, for one reader after another."""

    def __init__(self, speech: AsyncIterator[SpeechAudio]) -> None:
        """Read ``speech`` as it is asked for; cancelling a reader must lose none of it."""
        self.complete = False
        """Whether all of it is here."""
        self._speech = speech
        self._pieces: deque[tuple[int, SpeechAudio]] = deque()
        """With the position of its first sample."""
        self._gone = 0
        """Pieces that were forgotten."""
        self._end = 0
        self._reading = asyncio.Lock()

    @property
    def frames(self) -> int:
        """How many frames the sound fills that is here; the last one may need silence."""
        return -(-self._end // FRAME_SAMPLES)

    async def after(self, frame: int) -> AsyncGenerator[SpeechAudio, None]:
        """Yield what is said from this frame on, to its end."""
        position = frame * FRAME_SAMPLES
        number = self._gone + sum(at + len(piece.audio) < position for at, piece in self._pieces)
        while True:
            while number < self._gone + len(self._pieces):
                at, piece = self._pieces[max(0, number - self._gone)]
                skipped = max(0, position - at)
                yield SpeechAudio(piece.sentence, piece.audio[skipped:], piece.rate, piece.last) if skipped else piece
                number += 1
            if self.complete:
                return
            await self._read(number)

    def block(self, frame: int) -> tuple[Samples, Sentence] | None:
        """The sound of a frame and its sentence, padded at the end; None where it is not here (yet)."""
        begin, end = frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES
        if self._end <= begin or (self._end < end and not self.complete):
            return None
        block = np.zeros(FRAME_SAMPLES, np.int16)
        owner: Sentence | None = None
        for at, piece in self._pieces:
            first, last = max(begin, at), min(end, at + len(piece.audio))
            if first < last:
                block[first - begin : last - begin] = piece.audio[first - at : last - at]
                owner = owner or piece.sentence
        return None if owner is None else (block, owner)

    async def here(self, frame: int) -> bool:
        """Read until the sound of a frame is here; False where there is none."""
        while self.block(frame) is None and not self.complete:
            await self._read(self._gone + len(self._pieces))
        return self.block(frame) is not None

    def forget(self, frame: int) -> None:
        """Drop what lies long before this frame."""
        position = (frame - KEPT) * FRAME_SAMPLES
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1].audio) < position:
            self._pieces.popleft()
            self._gone += 1

    async def _read(self, number: int) -> None:
        async with self._reading:
            if number < self._gone + len(self._pieces) or self.complete:
                return  # another reader has read it meanwhile
            try:
                piece = await anext(self._speech)
            except StopAsyncIteration:
                self.complete = True
                return
            self._pieces.append((self._end, piece))
            self._end += len(piece.audio)
