"""Cutting speech into frames: 1920 samples at 48 kHz for each picture at 25 fps."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import numpy as np

from avatard.api.flow import FRAME_SAMPLES, Samples, Sentence, SpeechAudio


async def blocks(speech: AsyncIterator[SpeechAudio]) -> AsyncGenerator[tuple[Samples, Sentence], None]:
    """Yield (1920 samples, the sentence that the block's first sample belongs to); nothing is lost.

    The answer's last block is padded with silence.
    """
    waiting: Samples = np.zeros(0, np.int16)
    owner: Sentence | None = None
    async for piece in speech:
        if owner is None or not len(waiting):
            owner = piece.sentence
        waiting = np.concatenate([waiting, piece.audio]) if len(waiting) else piece.audio
        while len(waiting) >= FRAME_SAMPLES:
            yield waiting[:FRAME_SAMPLES], owner
            waiting = waiting[FRAME_SAMPLES:]
            owner = piece.sentence
    if owner is not None and len(waiting):
        yield np.concatenate([waiting, np.zeros(FRAME_SAMPLES - len(waiting), np.int16)]), owner
