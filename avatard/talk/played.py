"""What the loudspeaker gives, laid beside what the microphone hears."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from avatard.api.flow import LISTEN_RATE, SPEECH_RATE, AudioFrame, Samples

KEPT = 8 * LISTEN_RATE
"""Samples: the microphone may be read so much later."""
PIECES = 1024
"""Pieces that may wait to be laid down; then the oldest go, and are silence."""
JUMP = 0.2
"""Seconds that a piece may come too early or too late for where it lies in its stream; then a stream begins."""
SLACK = 0.05
"""Seconds by which the microphone's clock may waver; a canceller needs the two to lie still beside each other."""


class Played:
    """The last seconds of it, by the monotonic clock."""

    def __init__(self) -> None:
        """Nothing was played yet."""
        self._pieces: deque[tuple[Samples, float]] = deque(maxlen=PIECES)
        self._resampler: Any = None
        self._due = 0.0
        self._ring: Samples = np.zeros(0, np.int16)
        self._end = 0.0
        """When the ring's last sample was given, monotonic seconds."""
        self._total = 0
        """Samples that were ever laid into the ring."""
        self._next: int | None = None
        """Where the last frame ended, counted as ``_total``."""

    def add(self, sound: Samples, when: float) -> None:
        """Take 48 kHz sound that was given to the loudspeaker at ``when``; from any thread."""
        self._pieces.append((sound, when))

    def during(self, frame: AudioFrame) -> Samples:
        """What was given while the frame was captured: 16 kHz, as long as the frame."""
        while self._pieces:
            self._lay(*self._pieces.popleft())
        count = len(frame.samples)
        begins = self._total - (self._end - frame.captured) * LISTEN_RATE - count
        if self._next is None or abs(begins - self._next) > SLACK * LISTEN_RATE:
            self._next = round(begins)
        first = self._next - (self._total - len(self._ring))
        self._next += count
        sound = np.zeros(count, np.int16)
        low, high = max(0, first), min(len(self._ring), first + count)
        if low < high:
            sound[low - first : high - first] = self._ring[low:high]
        return sound

    def _lay(self, sound: Samples, when: float) -> None:
        if self._resampler is None or not len(sound) or abs(when - self._due) > JUMP:
            import soxr

            self._resampler = soxr.ResampleStream(SPEECH_RATE, LISTEN_RATE, 1, dtype="int16", quality="LQ")
            gap = min(KEPT, max(0, int((when - self._end) * LISTEN_RATE)))
            self._append(np.zeros(gap, np.int16))
            self._due = self._end = when
        self._due += len(sound) / SPEECH_RATE
        self._append(self._resampler.resample_chunk(sound))

    def _append(self, sound: Samples) -> None:
        self._ring = np.concatenate([self._ring, sound])[-KEPT:]
        self._end += len(sound) / LISTEN_RATE
        self._total += len(sound)
