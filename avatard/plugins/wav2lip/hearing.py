"""From an answer's sound to what the network hears for each of its pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import LISTEN_RATE, Samples
from avatard.face.cut import Decimator
from avatard.face.mel import MelStream, WindowStream

Window = NDArray[np.float32]
"""Shape (80, 16)."""

QUIET = -1.6
"""Of the mel's scale: a tone of -60 dBFS. Where nothing in a window is louder, nobody speaks."""


def silent(window: Window) -> bool:
    """Whether nobody speaks in a window."""
    return bool(window.max() < QUIET)


class Hearing:
    """The windows of one answer: a list for each piece of sound, in order, and the rest at its end."""

    def __init__(self, offset: int) -> None:
        """Nothing was heard yet.

        Args:
            offset: milliseconds by which each window begins later.
        """
        self._decimator, self._mel, self._windows = Decimator(), MelStream(), WindowStream()
        self._skip = Decimator.delay + max(0, offset) * LISTEN_RATE // 1000
        self._heard, self._given = 0, 0
        # Less than a window: none is complete by it.
        self._windows.feed(self._mel.feed(np.zeros(max(0, -offset) * LISTEN_RATE // 1000, np.float32)))

    def feed(self, blocks: list[Samples]) -> list[Window]:
        """Take the next blocks of 1920 samples at 48 kHz; return the windows that are complete."""
        self._heard += len(blocks)
        ready = self._hear(np.concatenate(blocks))
        self._given += len(ready)
        return ready

    def finish(self) -> list[Window]:
        """The answer has ended; return the windows of the pictures that are left."""
        ready = self._hear(np.zeros(Decimator.delay * 3, np.int16)) + self._windows.feed(self._mel.finish())
        ready += self._windows.finish(self._heard)
        return ready[: self._heard - self._given]

    def _hear(self, samples: Samples) -> list[Window]:
        sound = self._decimator.feed(samples)
        skipped = min(self._skip, len(sound))
        self._skip -= skipped
        return self._windows.feed(self._mel.feed(sound[skipped:]))
