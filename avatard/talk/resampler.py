"""The voice's sound at the rate at which frames are cut."""

from __future__ import annotations

from typing import Any

import numpy as np

from avatard.api.flow import SPEECH_RATE, Samples, Sentence, SpeechAudio

BREAK = 0.2
"""Seconds of silence where a voice broke off and another one begins the sentence again."""


class Resampler:
    """The voice's rate to 48 kHz, streaming over a sentence's pieces; libsoxr."""

    def __init__(self) -> None:
        """Learn the rate from the first piece."""
        self._stream: Any = None

    def __call__(self, piece: SpeechAudio) -> SpeechAudio:
        """Resample one piece; the last one brings what is still inside."""
        if piece.rate == SPEECH_RATE:
            return piece
        if self._stream is None:
            import soxr

            self._stream = soxr.ResampleStream(piece.rate, SPEECH_RATE, 1, dtype="int16", quality="HQ")
        audio: Samples = self._stream.resample_chunk(np.ascontiguousarray(piece.audio), last=piece.last)
        return SpeechAudio(piece.sentence, audio, SPEECH_RATE, piece.last)

    def rest(self, sentence: Sentence, rate: int) -> SpeechAudio:
        """What is still inside of a sentence that broke off, and a moment's silence."""
        silence: Samples = np.zeros(int(rate * BREAK), np.int16)
        end = self(SpeechAudio(sentence, silence, rate, True))
        return SpeechAudio(sentence, end.audio, SPEECH_RATE, False)
