"""Cutting speech into frames: 1920 samples at 48 kHz for each picture at 25 fps; and the 16 kHz copy to look at."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import FRAME_SAMPLES, LISTEN_RATE, SPEECH_RATE, Samples, Sentence, SpeechAudio

FACTOR = SPEECH_RATE // LISTEN_RATE
TAPS = 49
CUTOFF = 7_000.0
"""Hz: the low-pass before every third sample is kept; 50 dB down at 9 kHz, which folds onto 7 kHz."""


Block = tuple[Samples, Sentence]
"""1920 samples, and the sentence that the first of them belongs to."""


async def blocks(speech: AsyncIterator[SpeechAudio]) -> AsyncGenerator[Block, None]:
    """Yield the speech block by block; nothing is lost.

    The answer's last block is padded with silence. Closing it closes ``speech``.
    """
    async with aclosing(batches(speech)) as lots:
        async for lot in lots:
            for block in lot:
                yield block


async def batches(speech: AsyncIterator[SpeechAudio], most: int = 1 << 30) -> AsyncGenerator[list[Block], None]:
    """Yield what ``blocks`` does, with each piece of speech all the blocks that it completes; ``most`` at once."""
    waiting: Samples = np.zeros(0, np.int16)
    owner: Sentence | None = None
    async with aclosing(cast("AsyncGenerator[SpeechAudio, None]", speech)):
        async for piece in speech:
            if owner is None or not len(waiting):
                owner = piece.sentence
            waiting = np.concatenate([waiting, piece.audio]) if len(waiting) else piece.audio
            lot: list[Block] = []
            while len(waiting) >= FRAME_SAMPLES:
                lot.append((waiting[:FRAME_SAMPLES], owner))
                waiting = waiting[FRAME_SAMPLES:]
                owner = piece.sentence
                if len(lot) == most:
                    yield lot
                    lot = []
            if lot:
                yield lot
    if owner is not None and len(waiting):
        yield [(np.concatenate([waiting, np.zeros(FRAME_SAMPLES - len(waiting), np.int16)]), owner)]


class Decimator:
    """48 kHz int16 to 16 kHz float, piece by piece, the same as in one go."""

    delay = (TAPS // 2) // FACTOR
    """Samples at 16 kHz by which what comes out is behind what went in: 8."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        at = np.arange(TAPS) - TAPS // 2
        taps = np.sinc(at * 2 * CUTOFF / SPEECH_RATE) * np.blackman(TAPS + 2)[1:-1]
        self._taps = (taps / taps.sum() / 32768).astype(np.float32)
        self._rest: NDArray[np.float32] = np.zeros(TAPS - 1, np.float32)

    def feed(self, samples: Samples) -> NDArray[np.float32]:
        """Take the next samples; return those at 16 kHz that are complete, in [-1, 1], shape (m,)."""
        sound = np.concatenate([self._rest, samples.astype(np.float32)])
        count = (len(sound) - TAPS) // FACTOR + 1
        if count <= 0:
            self._rest = sound
            return np.zeros(0, np.float32)
        self._rest = sound[count * FACTOR :]
        step = sound.itemsize
        windows: NDArray[np.float32] = np.ndarray((count, TAPS), np.float32, sound, 0, (FACTOR * step, step))
        # Not as a matrix product, whose rounding depends on how many rows come at once.
        out: NDArray[np.float32] = np.einsum("ij,j->i", windows, self._taps)
        return out
