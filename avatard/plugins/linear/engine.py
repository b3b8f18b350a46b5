"""A partitioned Kalman filter in the frequency domain: learns the way from loudspeaker to microphone.

After Enzner and Vary, "Frequency-domain adaptive Kalman filter for acoustic echo control" (2006), and Kuech, Mabande
and Enzner, "State-space architecture of the partitioned-block-based acoustic echo controller" (2014).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 512
"""Samples at a time: 32 ms at 16 kHz."""
STAYS = 0.9995
"""How much of a room is the same a block later."""
FADES = 8.0
"""Nepers a second: how fast a room is expected to die away."""
SMOOTH = 0.8
"""Share of the last blocks in what is taken for noise: the room's, and whoever speaks."""
NOISE = 100.0
"""What is taken for noise in the beginning, |FFT|² of full scale 1."""
FULL = 32768.0


class Filter:
    """What is known of one source's room."""

    def __init__(self, parts: int) -> None:
        """Know nothing of ``parts`` blocks."""
        bins = BLOCK + 1
        self._way: NDArray[np.complex128] = np.zeros((parts, bins), np.complex128)
        fading = np.exp(-FADES * np.arange(parts) * BLOCK / 16_000)
        self._doubt: NDArray[np.float64] = np.ones((parts, bins)) * fading[:, None]
        self._noise: NDArray[np.float64] = np.full(bins, NOISE)
        self.forget_sound()

    def forget_sound(self) -> None:
        """The next block does not follow the last one; the room is the same."""
        self._last: NDArray[np.float64] = np.zeros(BLOCK)
        self._played: NDArray[np.complex128] = np.zeros_like(self._way)
        self.heard, self.given = bytearray(), bytearray()
        self.cleaned = bytearray(2 * (BLOCK - 1))
        """Begins with silence, so that as much comes out as goes in."""

    def block(self, heard: NDArray[np.float64], played: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what was heard without what was played, and learn from it."""
        self._played = np.roll(self._played, 1, axis=0)
        self._played[0] = np.fft.rfft(np.concatenate([self._last, played]))
        self._last = played
        echo = np.fft.irfft((self._way * self._played).sum(axis=0))[BLOCK:]
        left = heard - echo
        error = np.fft.rfft(np.concatenate([np.zeros(BLOCK), left]))
        power = np.abs(self._played) ** 2
        self._noise = SMOOTH * self._noise + (1 - SMOOTH) * np.abs(error) ** 2
        step = self._doubt / (0.5 * (self._doubt * power).sum(axis=0) + self._noise + 1e-6)
        change = np.fft.irfft(step * np.conj(self._played) * error, axis=1)
        change[:, BLOCK:] = 0
        self._way = self._way + np.fft.rfft(change, axis=1)
        known = STAYS**2 * (1 - 0.5 * step * power) * self._doubt
        self._doubt = known + (1 - STAYS**2) * np.abs(self._way) ** 2
        return left


class LinearEngine:
    """A filter for each source: 16 kHz mono int16."""

    def __init__(self, parts: int) -> None:
        """Learn ways of so many blocks."""
        self._parts = parts
        self._sources: dict[int, Filter] = {}

    def clean(self, number: int, heard: bytes, played: bytes, follows: bool) -> bytes:
        """Return as much sound as was ``heard``, a block late; ``follows``: on what was cleaned last."""
        source = self._sources.get(number)
        if source is None:
            source = self._sources[number] = Filter(self._parts)
        elif not follows:
            source.forget_sound()
        source.heard += heard
        source.given += played
        while len(source.heard) >= 2 * BLOCK:
            left = source.block(_taken(source.heard), _taken(source.given))
            source.cleaned += np.clip(left * FULL, -32768, 32767).astype(np.int16).tobytes()
        cleaned = bytes(source.cleaned[: len(heard)])
        del source.cleaned[: len(heard)]
        return cleaned

    def end(self, number: int) -> None:
        """Forget a source."""
        self._sources.pop(number, None)


def _taken(sound: bytearray) -> NDArray[np.float64]:
    block = np.frombuffer(bytes(sound[: 2 * BLOCK]), np.int16) / FULL
    del sound[: 2 * BLOCK]
    return block
