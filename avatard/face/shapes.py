"""Mouth shapes from the sound of speech: loudness says whether, the spectrum says which vowel.

A jaw that drops raises the first formant, so the power around 550-1150 Hz against that around 130-430 Hz tells open
vowels from close ones at any loudness; the second formant (1.7-3.2 kHz against 650-1400 Hz) tells spread from pursed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import FRAME_SAMPLES, LISTEN_RATE, Samples
from avatard.face.cut import Decimator

Floats = NDArray[np.float32]

WINDOW, HOP, FFT = 400, 160, 512
"""Samples at 16 kHz: a spectrum over 25 ms, every 10 ms, so four for each picture."""
HOPS = 4
SPREAD = 20.0
"""Standard deviation of the smoothing, ms: about how long a jaw takes."""
BEFORE, AFTER = 3, 7
"""Spectra before a picture's first and from it on that shape it; ``AFTER`` is what 40 ms of look-ahead can give."""
SILENCE = -64.0
"""dBFS: nothing softer is speech."""
RANGE = 30.0
"""dB below the loudest of late: nothing softer opens the mouth."""
EXPECTED = -24.0
"""dBFS: how loud a voice is taken to be before it was heard."""
FALL, ADAPT = 0.12, 0.985
"""What is loud of late: dB it falls each 10 ms, and how much of the surplus over it stays (0.7 s)."""
BANDS = {
    "voice": (100, 1150), "low": (130, 430), "mid": (550, 1150), "back": (650, 1400), "front": (1700, 3200),
    "hiss": (3500, 7900),
}  # fmt: skip
"""Hz: whose power is measured."""


@dataclass(frozen=True, slots=True)
class MouthShape:
    """A mouth at one moment; without arguments, at rest."""

    open: float = 0.0
    """0 shut - 1 as in "ah" """
    wide: float = 0.5
    """0 narrow - 0.5 at rest - 1 stretched as in "ee" """
    round: float = 0.0
    """0 flat - 1 pursed as in "oo" """


REST = MouthShape()
"""A shut mouth."""


class MouthTracker:
    """Follows one answer: feed it every block of sound, then ``finish`` it; each block gets its shape, in order."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        frequency = np.fft.rfftfreq(FFT, 1 / LISTEN_RATE)
        bands = [(frequency >= low) & (frequency < high) for low, high in BANDS.values()]
        hann = np.hanning(WINDOW)
        self._window = hann.astype(np.float32)
        self._bands = (np.stack(bands, 1) * 2 / (FFT * np.sum(hann**2))).astype(np.float32)
        gap = np.arange(-BEFORE, AFTER) - (HOPS - 1) / 2
        kernel = np.exp(-0.5 * (gap * 10 / SPREAD) ** 2)
        self._kernel = (kernel / kernel.sum()).astype(np.float32)
        self._decimator = Decimator()
        self._sound: Floats = np.zeros((WINDOW - HOP) // 2 - Decimator.delay, np.float32)
        self._hops: Floats = np.tile(np.array([0, REST.wide, 0], np.float32), (BEFORE, 1))
        self._loudest = self._lately = EXPECTED
        self._waiting = 0

    def feed(self, block: Samples) -> list[MouthShape]:
        """Take the next 1920 samples at 48 kHz; return the shapes that are settled: each waits for one block more."""
        self._waiting += 1
        return self._settled(block)

    def finish(self) -> list[MouthShape]:
        """The answer has ended: return the shapes that were still waiting."""
        return self._settled(np.zeros(FRAME_SAMPLES, np.int16)) if self._waiting else []

    def _settled(self, block: Samples) -> list[MouthShape]:
        self._listen(self._decimator.feed(block))
        shapes = []
        while self._waiting and len(self._hops) >= len(self._kernel):
            opened, wide, rounded = (float(v) for v in self._kernel @ self._hops[: len(self._kernel)])
            # What smoothing leaves over of a neighbouring sound must not keep the lips apart.
            opened = max(0.0, (opened - 0.04) / 0.96)
            shapes.append(MouthShape(min(1.0, opened), min(1.0, max(0.0, wide)), min(1.0, rounded)))
            self._hops = self._hops[HOPS:]
            self._waiting -= 1
        return shapes

    def _listen(self, sound: Floats) -> None:
        """Turn new sound into hops of (open, wide, round)."""
        self._sound = np.concatenate([self._sound, sound])
        count = (len(self._sound) - WINDOW) // HOP + 1
        if count <= 0:
            return
        windows = np.lib.stride_tricks.sliding_window_view(self._sound, WINDOW)[: count * HOP : HOP]
        power = np.abs(np.fft.rfft(windows * self._window, FFT)) ** 2 @ self._bands
        self._sound = self._sound[count * HOP :]
        levels = 10 * np.log10(power + 1e-9)
        hops = [self._hop(dict(zip(BANDS, row.tolist(), strict=True))) for row in levels]
        self._hops = np.concatenate([self._hops, np.array(hops, np.float32)])

    def _loudness(self, level: float) -> float:
        """Return how loud this voice is now for its own measure, 0-1."""
        if level < SILENCE:
            return 0.0
        if level > self._loudest - RANGE - 10:
            self._lately = max(level, self._lately - FALL)
            self._loudest = max(self._lately, self._lately + (self._loudest - self._lately) * ADAPT)
        return min(1.0, max(0.0, (level - self._loudest + RANGE) / (RANGE - 4)))

    def _hop(self, level: dict[str, float]) -> tuple[float, float, float]:
        """Return open, wide and round of one spectrum, given the dB in each band."""
        voice = self._loudness(level["voice"])
        jaw = _step(level["mid"] - level["low"], -6, 4.5)
        spread = _step(level["front"] - level["back"], 0, 8)
        sharp = level["hiss"] > max(SILENCE, self._loudest - RANGE - 6)
        hiss = _step(level["hiss"] - level["voice"], 0, 5) if sharp else 0.0
        pursed = _step(level["back"] - level["front"], 3, 5) * (1 - _step(level["mid"] - level["low"], -2, 4))
        wide = REST.wide + voice * (spread - 0.45) * (1 - 0.5 * jaw) + 0.2 * hiss
        return voice * (0.15 + 0.85 * jaw), wide, voice * pursed


def _step(value: float, middle: float, width: float) -> float:
    return float(1 / (1 + np.exp(-(value - middle) / width)))
