"""Vowels of no voice: buzzes through resonances, of any pitch and held for any time, among pauses and hisses.

Speech has few vowels that last, and none without movement; a network that has heard speech alone lets them sink.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from phones import Phone

RATE = 16_000
FORMANTS: dict[str, tuple[float, float, float]] = {
    "ɑ": (720, 1120, 2500), "æ": (690, 1700, 2450), "ɔ": (590, 860, 2450), "ɛ": (540, 1820, 2480),
    "ɪ": (390, 1950, 2550), "i": (280, 2280, 3000), "ʊ": (430, 1010, 2260), "u": (305, 880, 2260),
}  # fmt: skip
"""Of a man's vowels, Hz."""
HISSES = {"s": (3800, 7800), "ʃ": (1900, 5500), "f": (700, 7800)}
"""From where to where they are loudest, Hz; other noise has any colour."""
LASTS = 0.2
"""Seconds: a hiss that goes on for longer is no speech."""


def buzzed(rng: np.random.Generator) -> tuple[NDArray[np.floating], list[Phone]]:
    """Make some seconds of it: (16 kHz sound, its phonemes)."""
    pieces, phones, begin = [], list[Phone](), 0.0
    throat, tilt = float(np.exp(rng.normal(0.03, 0.08))), rng.uniform(0.7, 1.6)
    pitch = float(np.exp(rng.uniform(np.log(75), np.log(260))))
    while begin < 3.2:
        kind, heard = rng.random(), 10.0
        if kind < 0.25:
            piece, ipa = np.zeros(int(rng.uniform(0.05, 0.7) * RATE)), ""
        elif kind < 0.42:
            # After a vowel it is a consonant as long as consonants are; out of silence it is the kettle.
            ipa = str(rng.choice(list(HISSES)))
            seconds = float(rng.uniform(0.06, 0.2) if rng.random() < 0.5 else rng.uniform(0.3, 1))
            piece = _hiss(rng, ipa, seconds)
            heard = LASTS if phones and phones[-1].ipa in FORMANTS else 0.0
        elif kind < 0.5:
            piece, ipa = _hiss(rng, "", float(rng.uniform(0.1, 1.2))), ""
        else:
            ipa = str(rng.choice(list(FORMANTS)))
            seconds = float(rng.uniform(0.08, 0.4) if rng.random() < 0.5 else rng.uniform(0.4, 2))
            piece = _vowel(rng, ipa, seconds, pitch * float(np.exp(rng.normal(0, 0.1))), throat, tilt)
        pieces.append(piece)
        end = begin + len(piece) / RATE
        until = min(end, begin + heard)
        phones += [p for p in (Phone(ipa, begin, until), Phone("", until, end)) if p.end > p.begin]
        begin = end
    return np.concatenate(pieces), phones


def _vowel(
    rng: np.random.Generator, ipa: str, seconds: float, pitch: float, throat: float, tilt: float
) -> NDArray[np.floating]:
    """Harmonics through three resonances; some are steady, some tremble or glide in pitch."""
    time = np.arange(int(seconds * RATE)) / RATE
    steady = float(rng.random() < 0.5)
    cents = (1 - steady) * (
        rng.uniform(0, 0.03) * np.sin(2 * np.pi * rng.uniform(3, 7) * time) + rng.normal(0, 0.08) * time / seconds
    )
    phase = 2 * np.pi * np.cumsum(pitch * np.exp(cents)) / RATE
    places = [hertz * throat * float(np.exp(rng.normal(0, 0.04))) for hertz in FORMANTS[ipa]]
    breadths = [float(rng.uniform(low, high)) for low, high in ((50, 120), (60, 140), (90, 200))]
    top = rng.uniform(4500, 7500)
    sound = np.zeros_like(time)
    for harmonic in np.arange(pitch, top, pitch):
        gain = (pitch / harmonic) ** tilt
        for formant, breadth in zip(places, breadths, strict=True):
            gain /= abs(1 - (harmonic / formant) ** 2 + 1j * harmonic * breadth / formant**2)
        sound += gain * np.sin(harmonic / pitch * phase + rng.uniform(0, 6.3) * (1 - steady))
    sound *= rng.uniform(0.5, 1) / (np.std(sound) + 1e-9)
    rise = float(rng.uniform(0.001, 0.04))
    ramp = np.minimum(1, np.minimum(time, time[-1] - time) / rise)
    return sound * ramp


def _hiss(rng: np.random.Generator, ipa: str, seconds: float) -> NDArray[np.floating]:
    """Noise between two frequencies; without a name, any noise that is no consonant."""
    size = int(seconds * RATE)
    spectrum, frequency = np.fft.rfft(rng.normal(0, 1, size)), np.fft.rfftfreq(size, 1 / RATE)
    between = HISSES[ipa] if ipa else np.sort(np.exp(rng.uniform(np.log(60), np.log(8000), 2)))
    low, high = (hertz * float(np.exp(rng.normal(0, 0.15))) for hertz in between)
    slope = rng.uniform(12 if ipa else 2, 30 if ipa else 18) * (
        np.maximum(0, np.log2(low / np.maximum(frequency, 50))) + np.maximum(0, np.log2(frequency / high + 1e-9))
    )
    sound = np.fft.irfft(spectrum * 10 ** (-slope / 20), size)
    return sound / np.std(sound) * float(np.exp(rng.uniform(np.log(0.01), np.log(0.8))))
