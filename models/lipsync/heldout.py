"""What the mouth is judged on: voices and sentences that are not in the training, with their tracks."""

from __future__ import annotations

import numpy as np
import soxr
from data import RATE
from numpy.typing import NDArray
from phones import Track, track
from sentences import HELD_OUT, dictionary, sentence
from speech import MADE, Espeak, Spoken, flite
from voices import UNSEEN, UNSEEN_PERSON, made

Recording = tuple[NDArray[np.int16], Track]
"""16 kHz sound, and what the mouth does in it."""


def usual(espeak: Espeak) -> list[Recording]:
    """Speak the held-out sentences as avatard speaks when nothing else is configured."""
    return [_recorded(espeak.speak(text, "en-us", 165)) for text in HELD_OUT]


def person(seed: int = 98) -> list[Recording]:
    """Speak the held-out sentences with the flite voice that is not in the training."""
    rng, out = np.random.default_rng(seed), []
    for text in HELD_OUT:
        said = flite(text, UNSEEN_PERSON, float(rng.uniform(0.8, 1.1)))
        out.append((said.sound, track(said.phones, len(said.sound) / RATE)))
    return out


def held_out(espeak: Espeak, variants: tuple[str, ...] = UNSEEN, seed: int = 99) -> list[Recording]:
    """Speak them with unseen voices: (16 kHz sound, its track)."""
    rng, out = np.random.default_rng(seed), []
    for number, variant in enumerate(variants * 3):
        accent = ("en-us", "en", "en-gb-x-rp")[number // len(variants)]
        text = HELD_OUT[number % len(HELD_OUT)]
        said = espeak.speak(text, f"{accent}+{variant}", int(rng.integers(130, 210)), int(rng.integers(25, 75)))
        out.append(_recorded(said))
    return out


def made_up(espeak: Espeak, seed: int = 555) -> list[Recording]:
    """Speak sentences as in the training with voices that nobody has heard, written at random."""
    rng, words, out = np.random.default_rng(seed), dictionary(), []
    for _ in range(24):
        espeak.make(made(rng, MADE))
        accent = str(rng.choice(["en-us", "en", "en-gb-x-rp"]))
        said = espeak.speak(
            sentence(rng, words, accent), f"{accent}+{MADE}", int(rng.integers(130, 210)), int(rng.integers(25, 75))
        )
        sound = soxr.resample(said.sound / 32768, said.rate, RATE)
        sound = (sound / np.sqrt(np.mean(sound**2)) * 2300).clip(-32768, 32767).astype(np.int16)
        out.append((sound, track(said.phones, len(sound) / RATE)))
    return out


def _recorded(said: Spoken) -> Recording:
    sound = soxr.resample(said.sound.astype(np.float32), said.rate, RATE).clip(-32768, 32767).astype(np.int16)
    return sound, track(said.phones, len(sound) / RATE)
