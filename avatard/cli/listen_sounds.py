"""What sounds in the household of ``avatard bench listen`` beside voices: noise, appliances, music; by arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avatard.cli.listen_words import Dice
from avatard.runtime.voices import Wave

HERTZ = 16_000
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (530, 1840, 2480), (570, 840, 2410), (300, 870, 2240))
"""Formants of a, i, e, o, u (Peterson and Barney, 1952), Hz."""
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))
"""Semitones: major, minor, pentatonic."""


def coloured(dice: Dice, samples: int, slope: float) -> Wave:
    """Noise whose power falls with frequency to this power: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(dice.normal(size=samples))
    spectrum *= np.maximum(np.arange(len(spectrum)), samples / 400) ** (-slope / 2)
    return even(np.fft.irfft(spectrum, samples))


def appliance(dice: Dice, samples: int) -> Wave:
    """A motor's hum and its fan, which swell and fade."""
    t = np.arange(samples) / HERTZ
    turns = np.cumsum(dice.choice((50, 60, 100, 210)) * (1 + 0.02 * np.sin(t * dice.uniform(0.2, 3)))) / HERTZ
    hum = np.zeros(samples)
    for k in range(1, 12):
        hum += dice.random() / k * np.sin(2 * np.pi * k * turns)
    blows = coloured(dice, samples, dice.uniform(0.3, 1.5)) * (1 + 0.5 * np.sin(t * dice.uniform(0.1, 20)))
    return even(even(hum) * dice.uniform(0.1, 1) + blows)


def kitchen(dice: Dice, samples: int) -> Wave:
    """Plates, taps, doors: bursts that ring; now and then an oven that beeps."""
    sound = np.zeros(samples)
    for _ in range(int(samples / HERTZ * dice.uniform(0.5, 4))):
        at, length = int(dice.integers(samples)), int(dice.uniform(0.02, 0.5) * HERTZ)
        t = np.arange(min(length, samples - at)) / HERTZ
        burst = dice.normal(0, dice.uniform(0, 1), len(t))
        for _ in range(dice.integers(0, 6)):
            burst += dice.random() * np.sin(2 * np.pi * dice.uniform(200, 6000) * t)
        sound[at : at + len(t)] += burst * np.exp(-t * dice.uniform(5, 80)) * dice.exponential()
    for at in range(int(dice.integers(samples)), samples, int(HERTZ * dice.uniform(0.4, 2))):
        t = np.arange(min(int(0.2 * HERTZ), samples - at)) / HERTZ
        sound[at : at + len(t)] += 0.3 * np.sin(2 * np.pi * 2000 * t)
    return even(sound)


def clicks(dice: Dice, samples: int) -> Wave:
    """A keyboard, a clock, a bad contact."""
    sound = np.zeros(samples)
    at = dice.integers(samples, size=int(samples / HERTZ * dice.uniform(1, 12)))
    sound[at] = dice.normal(0, 1, len(at))
    return even(np.convolve(sound, dice.normal(size=160) * np.exp(-np.arange(160) / 30))[:samples])


def music(dice: Dice, samples: int) -> Wave:
    """Chords, a tune, drums; often somebody sings the tune without words."""
    beat = int(HERTZ * 60 / dice.uniform(70, 170))
    key, scale = dice.integers(40, 52), SCALES[dice.integers(len(SCALES))]
    sound, sings = np.zeros(samples), dice.random() < 0.5
    bright, parts = dice.uniform(0.5, 2), dice.random(3) + 0.1

    def hertz(step: int) -> float:
        return float(440 * 2 ** ((key + 12 * (step // len(scale)) + scale[step % len(scale)] - 69) / 12))

    for bar in range(0, samples, 4 * beat):
        root = int(dice.choice((0, 3, 4, 5, 1)))
        for step in (root, root + 2, root + 4):
            _add(sound, bar, parts[0] * tone(dice, hertz(step), 4 * beat, bright))
        at = bar
        while at < bar + 4 * beat:
            length = int(beat * dice.choice((0.5, 1, 1, 2)))
            note = hertz(root + len(scale) + int(dice.integers(0, 8)))
            if dice.random() < 0.85:
                _add(sound, at, parts[1] * 2 * (sung if sings else tone)(dice, note, length, bright))
            at += length
        for half in range(8):
            _add(sound, bar + half * beat // 2, parts[2] * 2 * _drum(dice, half))
    return even(sound)


def tone(dice: Dice, hertz: float, samples: int, bright: float) -> Wave:
    """A string or a pipe."""
    t = np.arange(samples) / HERTZ
    fades = np.exp(-t * dice.choice((0.5, 3, 6)))
    count = min(12, int(7000 / hertz))
    sound = np.zeros(samples)
    for k in range(1, count + 1):
        sound += np.sin(2 * np.pi * hertz * k * t) / k**bright
    return np.asarray(sound * fades * np.minimum(1, t / 0.01))


def sung(dice: Dice, hertz: float, samples: int, bright: float) -> Wave:
    """A vowel that glides into another, with vibrato."""
    t = np.arange(samples) / HERTZ
    phase = 2 * np.pi * np.cumsum(hertz * (1 + 0.012 * np.sin(2 * np.pi * 5.5 * t))) / HERTZ
    begin, end = (np.array(VOWELS[i]) for i in dice.integers(len(VOWELS), size=2))
    sound = np.zeros(samples)
    for k in range(1, min(24, int(4500 / hertz)) + 1):
        first, last = (float(np.exp(-(((k * hertz - vowel) / 150) ** 2)).sum()) + 0.03 for vowel in (begin, end))
        sound += np.linspace(first, last, samples) * np.sin(k * phase)
    return sound * np.minimum(1, t / 0.05) * np.minimum(1, t[::-1] / 0.05) * 2


def _drum(dice: Dice, half: int) -> Wave:
    t = np.arange(HERTZ // 4) / HERTZ
    if half % 4 == 0:
        return np.sin(2 * np.pi * (50 + 60 * np.exp(-t * 30)) * t) * np.exp(-t * 15)
    return dice.normal(0, 0.5, len(t)) * np.exp(-t * (18 if half % 4 == 2 else 90))


def _add(sound: Wave, at: int, part: Wave) -> None:
    part = part[: max(0, len(sound) - at)]
    sound[at : at + len(part)] += part


def even(sound: Wave) -> Wave:
    """The sound with a root mean square of 1."""
    return sound / max(1e-9, float(np.sqrt(np.mean(sound * sound))))


NOISES: tuple[Callable[[Dice, int], Wave], ...] = (
    lambda dice, samples: coloured(dice, samples, float(dice.choice((0, 1, 2)))), appliance, kitchen, clicks,
)  # fmt: skip
