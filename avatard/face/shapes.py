"""Mouth shapes from sound, by loudness and spectrum: for each 40 ms how open, how wide, how round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatard.api.flow import FRAME_SAMPLES, SPEECH_RATE, Samples

HERTZ = np.fft.rfftfreq(FRAME_SAMPLES, 1 / SPEECH_RATE)
"""Hz of each bin: 25 apart"""
SILENCE = 60.0
"""Root mean square below which nobody speaks, int16."""
RANGE_DB = 30.0
"""Below the voice's loud parts by this much the mouth is shut."""
ATTACK, RELEASE = 0.75, 0.5
"""Share of the way that the mouth opens, and closes, in one frame."""


@dataclass(frozen=True, slots=True)
class MouthShape:
    """One frame's mouth, each 0–1; at rest 0, 0.5, 0."""

    open: float = 0.0
    wide: float = 0.5
    round: float = 0.0


REST = MouthShape()


class MouthTracker:
    """Follows one answer's sound, frame by frame, without looking ahead."""

    def __init__(self) -> None:
        """Begin shut."""
        self._loud = 1500.0
        self._shape = REST
        self._window = np.hanning(FRAME_SAMPLES).astype(np.float32)

    def feed(self, audio: Samples) -> MouthShape:
        """Take a frame's 1920 samples at 48 kHz; return its mouth."""
        samples = audio.astype(np.float32)
        level = float(np.sqrt(np.mean(samples * samples)))
        self._loud = max(level, self._loud * 0.995, SILENCE * 4)
        if level < SILENCE:
            return self._towards(REST)
        power = np.abs(np.fft.rfft(samples * self._window)) ** 2
        return self._towards(self._target(level, power))

    def _target(self, level: float, power: np.ndarray) -> MouthShape:
        def band(low: float, high: float) -> float:
            return float(power[(low <= HERTZ) & (high > HERTZ)].sum()) + 1e-3

        loudness = 1 + 20 * float(np.log10(level / self._loud)) / RANGE_DB
        voiced, hiss = band(100, 3500), band(3500, 12000)
        # The first formant is high in open vowels (AA 700 Hz) and low in close ones and nasals (IY, UW, M 300 Hz).
        first = band(500, 1100) / band(200, 1100)
        # The second is high in spread vowels (IY 2300 Hz) and low in rounded ones (UW 900 Hz).
        second = band(1600, 3000) / (band(1600, 3000) + 0.25 * band(600, 1400))
        tonal = voiced / (voiced + 2 * hiss)
        opening = float(np.clip(loudness, 0, 1)) * (0.3 + 0.85 * min(1.0, 1.6 * first)) * (0.2 + 0.8 * tonal)
        dark = band(200, 1000) / (band(200, 1000) + 12 * band(1400, 3500))
        rounding = float(np.clip((dark - 0.55) * 2.2, 0, 1)) * (1 - 0.6 * first)
        return MouthShape(float(np.clip(opening, 0, 1)), float(np.clip(0.25 + 0.7 * second, 0, 1)), rounding)

    def _towards(self, target: MouthShape) -> MouthShape:
        old = self._shape
        pace = ATTACK if target.open > old.open else RELEASE
        opening = old.open + (target.open - old.open) * pace
        self._shape = MouthShape(
            0.0 if opening < 0.04 else opening, old.wide + (target.wide - old.wide) * 0.5,
            old.round + (target.round - old.round) * 0.5,
        )  # fmt: skip
        return self._shape
