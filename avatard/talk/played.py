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
LATE = 0.06
"""Seconds before a frame of what is laid beside it: a piece that was given late must still be there.

No loudspeaker sounds sooner after it was given something.
"""
EARLY = 0.25
"""Seconds that a piece may be given before its time: a device that opens takes some in advance."""
SLACK = 0.02
"""Seconds by which the two clocks may part before they are laid beside each other anew."""
FRAMES = 64
"""Frames (4 s) of which the one that came soonest tells how late the others were."""


class Played:
    """The last seconds of it, by the monotonic clock."""

    def __init__(self, delay: float = 0.0) -> None:
        """Nothing was played yet; it is heard so many seconds later than the display knows."""
        self._delay = delay
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
        self._offsets: deque[float] = deque(maxlen=FRAMES)
        """From a frame's position to when it came, seconds; some come late, and several at once."""
        self._at = -1.0

    def add(self, sound: Samples, when: float) -> None:
        """Take 48 kHz sound that was given to the loudspeaker at ``when``; from any thread."""
        self._pieces.append((sound, when + self._delay))

    def heard(self, frame: AudioFrame) -> None:
        """Note when a frame came; said of each one."""
        if frame.at < self._at:
            self._offsets.clear()
        self._at = frame.at
        self._offsets.append(frame.captured - frame.end)

    def during(self, frame: AudioFrame) -> Samples:
        """What was given ``LATE`` seconds before the frame was captured: 16 kHz, as long as the frame."""
        while self._pieces:
            self._lay(*self._pieces.popleft())
        count = len(frame.samples)
        captured = frame.end + min(self._offsets, default=frame.captured - frame.end)
        begins = self._total - (self._end - captured + LATE) * LISTEN_RATE - count
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
        if self._resampler is None or not len(sound) or not -EARLY < when - self._due < LATE:
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
