"""Phonemes to mouths: what the network is taught, and what it is judged by.

A mouth is (open, wide, round, teeth), each 0-1; at rest it is (0, 0.5, 0, 0). Phonemes come as IPA, as espeak-ng
writes them, and are read letter by letter: a diphthong glides through its parts.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRID = 400
"""Places a second at which tracks are worked out."""
SPREAD = 35.0
"""Standard deviation of the smoothing, ms: how far sounds colour their neighbours."""

Mouth = tuple[float, float, float, float]
REST: Mouth = (0.0, 0.5, 0.0, 0.0)
BILABIAL, LABIODENTAL = frozenset("pbm"), frozenset("fv")

MOUTHS: dict[str, Mouth] = {
    # Vowels of English.
    "ɑ": (0.95, 0.5, 0.1, 0.25), "æ": (0.85, 0.75, 0.0, 0.45), "ʌ": (0.6, 0.5, 0.1, 0.3), "ə": (0.6, 0.5, 0.1, 0.3),
    "ɐ": (0.6, 0.5, 0.1, 0.3), "ɔ": (0.8, 0.3, 0.6, 0.1), "ɒ": (0.85, 0.4, 0.35, 0.15), "ɛ": (0.6, 0.7, 0.0, 0.5),
    "ɜ": (0.4, 0.4, 0.4, 0.25), "ɚ": (0.4, 0.4, 0.4, 0.25), "ɝ": (0.4, 0.4, 0.4, 0.25), "ɪ": (0.35, 0.75, 0.0, 0.5),
    "ᵻ": (0.35, 0.75, 0.0, 0.5), "i": (0.25, 0.95, 0.0, 0.65), "ʊ": (0.35, 0.3, 0.7, 0.1), "u": (0.25, 0.15, 1.0, 0.0),
    # Of other languages.
    "a": (0.9, 0.55, 0.0, 0.35), "e": (0.5, 0.8, 0.0, 0.55), "o": (0.6, 0.3, 0.7, 0.05), "y": (0.25, 0.25, 0.9, 0.05),
    "ʏ": (0.35, 0.35, 0.7, 0.1), "ø": (0.45, 0.3, 0.75, 0.1), "œ": (0.55, 0.35, 0.6, 0.15), "ɤ": (0.5, 0.5, 0.1, 0.3),
    "ɨ": (0.3, 0.75, 0.0, 0.5), "ɯ": (0.3, 0.7, 0.0, 0.4), "ɘ": (0.5, 0.55, 0.05, 0.3), "ɵ": (0.45, 0.35, 0.6, 0.1),
    # Consonants.
    "p": (0.0, 0.5, 0.1, 0.0), "b": (0.0, 0.5, 0.1, 0.0), "m": (0.0, 0.5, 0.1, 0.0),
    "f": (0.1, 0.6, 0.0, 0.7), "v": (0.1, 0.6, 0.0, 0.7),
    "θ": (0.25, 0.55, 0.0, 0.6), "ð": (0.25, 0.55, 0.0, 0.6),
    "s": (0.15, 0.75, 0.0, 0.95), "z": (0.15, 0.75, 0.0, 0.95),
    "ʃ": (0.2, 0.35, 0.6, 0.75), "ʒ": (0.2, 0.35, 0.6, 0.75), "ʂ": (0.2, 0.4, 0.5, 0.75), "ʐ": (0.2, 0.4, 0.5, 0.75),
    "ɕ": (0.2, 0.6, 0.2, 0.8), "ʑ": (0.2, 0.6, 0.2, 0.8), "tʃ": (0.2, 0.4, 0.5, 0.75), "dʒ": (0.2, 0.4, 0.5, 0.75),
    "tɕ": (0.2, 0.6, 0.2, 0.8), "ts": (0.15, 0.75, 0.0, 0.95),
    "t": (0.2, 0.6, 0.0, 0.55), "d": (0.2, 0.6, 0.0, 0.55), "n": (0.2, 0.6, 0.0, 0.5), "ɾ": (0.2, 0.6, 0.0, 0.5),
    "ʔ": (0.2, 0.6, 0.0, 0.3), "l": (0.3, 0.6, 0.0, 0.45), "ɫ": (0.3, 0.6, 0.0, 0.4), "ɹ": (0.3, 0.35, 0.5, 0.25),
    "r": (0.3, 0.5, 0.1, 0.4), "ɻ": (0.3, 0.4, 0.4, 0.25), "ʁ": (0.3, 0.55, 0.0, 0.3), "ʀ": (0.3, 0.55, 0.0, 0.3),
    "k": (0.3, 0.55, 0.0, 0.35), "ɡ": (0.3, 0.55, 0.0, 0.35), "g": (0.3, 0.55, 0.0, 0.35), "ŋ": (0.3, 0.55, 0.0, 0.35),
    "x": (0.3, 0.55, 0.0, 0.35), "χ": (0.3, 0.55, 0.0, 0.35), "ɣ": (0.3, 0.55, 0.0, 0.35), "ç": (0.25, 0.75, 0.0, 0.6),
    "h": (0.4, 0.5, 0.0, 0.25), "ɦ": (0.4, 0.5, 0.0, 0.25), "w": (0.2, 0.15, 0.95, 0.0), "ɥ": (0.2, 0.25, 0.9, 0.0),
    "j": (0.2, 0.85, 0.0, 0.6), "ɲ": (0.2, 0.75, 0.0, 0.5), "ʎ": (0.25, 0.75, 0.0, 0.5), "β": (0.1, 0.5, 0.1, 0.1),
}  # fmt: skip

GLIDES: dict[str, tuple[Mouth, Mouth]] = {
    "aʊ": ((0.85, 0.45, 0.2, 0.3), (0.35, 0.2, 0.8, 0.05)), "aɪ": ((0.9, 0.55, 0.0, 0.4), (0.35, 0.8, 0.0, 0.55)),
    "eɪ": ((0.55, 0.75, 0.0, 0.5), (0.3, 0.9, 0.0, 0.6)), "oʊ": ((0.65, 0.3, 0.7, 0.1), (0.3, 0.2, 0.95, 0.0)),
    "əʊ": ((0.65, 0.3, 0.7, 0.1), (0.3, 0.2, 0.95, 0.0)), "ɔɪ": ((0.7, 0.3, 0.7, 0.1), (0.35, 0.8, 0.0, 0.55)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Phone:
    """One phoneme as it was spoken."""

    ipa: str
    """Empty for a pause."""
    begin: float
    """Seconds."""
    end: float


@dataclass(frozen=True, slots=True)
class Track:
    """What the mouth does in one recording, at ``GRID`` places a second."""

    mouth: NDArray[np.float32]
    """shape (n, 4)"""
    speech: NDArray[np.float32]
    """0 pause - 1 speech, smoothed; shape (n,)"""
    closed: NDArray[np.bool_]
    """p, b or m; shape (n,)"""


def plain(ipa: str) -> str:
    """Leave the letters: no stress, no length, no tone, no diacritics."""
    kept = (c for c in unicodedata.normalize("NFD", ipa) if c == "ʔ" or unicodedata.category(c) == "Ll")
    # The cedilla is a diacritic to Unicode and a letter to the IPA.
    return "ç" if ipa.strip("ˈˌ").startswith("ç") else "".join(kept).rstrip("ʰʲʷ")


def mouths(ipa: str) -> list[Mouth]:
    """What the mouth passes through in a phoneme; the mouth at rest for one that is not known."""
    letters, out = plain(ipa), []
    while letters:
        if letters[:2] in GLIDES:
            out += GLIDES[letters[:2]]
            letters = letters[2:]
        else:
            size = 2 if letters[:2] in MOUTHS else 1
            if (mouth := MOUTHS.get(letters[:size])) is not None:
                out.append(mouth)
            letters = letters[size:]
    return out or [REST]


def track(phones: list[Phone], seconds: float) -> Track:
    """Work out the track: each phoneme's mouth, smoothed; then p b m shut and f v nearly so."""
    count = int(seconds * GRID) + 1
    mouth = np.tile(np.array(REST, np.float32), (count, 1))
    speech, held = np.zeros(count, np.float32), np.full(count, np.nan, np.float32)
    closed = np.zeros(count, bool)
    for phone in phones:
        part = slice(max(0, int(phone.begin * GRID)), min(count, int(phone.end * GRID)))
        length = part.stop - part.start
        if length <= 0 or not plain(phone.ipa):
            continue
        through = np.array(mouths(phone.ipa), np.float32)
        at = np.linspace(0, len(through) - 1, length)
        mouth[part] = np.stack([np.interp(at, range(len(through)), through[:, k]) for k in range(4)], 1)
        speech[part] = 1
        if plain(phone.ipa)[0] in BILABIAL:
            held[part], closed[part] = 0.0, True
        elif plain(phone.ipa)[0] in LABIODENTAL:
            held[part] = 0.1
    smooth = np.stack([_smoothed(mouth[:, k], REST[k]) for k in range(4)], 1)
    kept = ~np.isnan(held)
    smooth[kept, 0] = np.minimum(smooth[kept, 0], held[kept])
    return Track(smooth, _smoothed(speech, 0.0), closed)


def _smoothed(values: NDArray[np.float32], beyond: float) -> NDArray[np.float32]:
    half = GRID * 3 // 20
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * 1000 / GRID / SPREAD) ** 2)
    padded = np.pad(values, half, constant_values=beyond)
    return np.convolve(padded, kernel / kernel.sum(), "valid").astype(np.float32)
