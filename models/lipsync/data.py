"""Training material: sentences, voices and rooms, all made here; nothing is downloaded.

A sample is a spectrogram as ``avatard.face.mel`` makes it and, for every column, the mouth at that moment. What can be
done to a spectrogram (gain, colour, noise, band limits, another throat) is done while training, see ``train.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from buzz import buzzed
from numpy.typing import NDArray
from phones import GRID, Track, track
from sentences import TONGUES, dictionary, sentence
from speech import MADE, Espeak, Spoken, flite
from voices import ACCENTS, PEOPLE, VARIANTS, made

from avatard.face.mel import COLUMNS_PER_SECOND, mel

RATE = 16_000
PHASES = 5
"""Where the middle of a picture may lie between two columns: in steps of a fifth, two before to two after."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One recording and what the mouth does in it, column by column."""

    columns: NDArray[np.float16]
    """shape (n, 80)"""
    target: NDArray[np.float16]
    """open, wide, round, teeth, speech, closed, at each phase around a column; shape (n, 5, 6)"""


def spoken(rng: np.random.Generator, espeak: Espeak, words: list[str]) -> Spoken:
    """Have a made-up sentence spoken by a voice of the training's."""
    if rng.random() < 0.2:
        return flite(sentence(rng, words, "en-us"), str(rng.choice(PEOPLE)), float(rng.uniform(0.7, 1.25)))
    if rng.random() < 0.05:
        tongue = str(rng.choice(list(TONGUES)))
    else:
        tongue = str(rng.choice(list(ACCENTS), p=list(ACCENTS.values())))
    variant = str(rng.choice(VARIANTS))
    if rng.random() < 0.7:
        espeak.make(made(rng, MADE))
        variant = MADE
    return espeak.speak(
        sentence(rng, words, tongue), f"{tongue}+{variant}" if variant else tongue, int(rng.integers(125, 215)),
        int(rng.integers(15, 90)), int(rng.integers(20, 90)),
    )  # fmt: skip


def sample(sound: NDArray[np.floating], truth: Track, speed: float = 1.0) -> Sample:
    """Pair a 16 kHz recording's columns with the track; column j is heard at j / 80 s."""
    columns = mel(sound)
    times = (np.arange(len(columns))[:, None] + (np.arange(PHASES) - PHASES // 2) / PHASES) / COLUMNS_PER_SECOND * speed
    at = np.rint(times * GRID).astype(int).clip(0, len(truth.speech) - 1)
    target = np.concatenate([truth.mouth[at], truth.speech[at][..., None], truth.closed[at][..., None]], 2)
    return Sample(columns.astype(np.float16), target.astype(np.float16))


def performance(rng: np.random.Generator, said: Spoken) -> Sample:
    """Put a sentence into another throat, a room and a microphone."""
    # Faster and higher at once: another length of throat. espeak's own rate and pitch vary beside it.
    speed = float(np.exp(rng.normal(0, 0.04)).clip(0.88, 1.14))
    before, after = rng.uniform(0.1, 0.5, 2)
    lead = np.zeros(int(before * said.rate))
    wave = np.concatenate([lead, said.sound / 32768, np.zeros(int(after * said.rate))])
    phones = [type(p)(p.ipa, p.begin + before, p.end + before) for p in said.phones]
    truth = track(phones, len(wave) / said.rate)
    sound = soxr.resample(wave, said.rate * speed, RATE)
    if rng.random() < 0.12:
        sound = _in_a_room(rng, sound)
    sound = sound / (np.sqrt(np.mean(sound**2)) + 1e-9) * 0.07
    if rng.random() < 0.05:
        sound = np.clip(sound * rng.uniform(3, 12), -1, 1) * 0.2
    if rng.random() < 0.05:
        sound = _breathed(rng, sound)
    if rng.random() < 0.15:
        sound = sound + noise(rng, len(sound)) * 0.07 * 10 ** (-rng.uniform(10, 50) / 20)
    return sample(sound, truth, speed)


def _in_a_room(rng: np.random.Generator, sound: NDArray[np.floating]) -> NDArray[np.floating]:
    """Echoes that die away within 0.1 to 0.5 s, below the direct sound."""
    dies = rng.uniform(0.1, 0.5)
    time = np.arange(int(dies * RATE)) / RATE
    echo = rng.normal(0, 1, len(time)) * np.exp(-6.9 * time / dies) * (time > rng.uniform(0.001, 0.008))
    echo *= 10 ** (-rng.uniform(4, 18) / 20) / (np.sqrt(np.sum(echo**2)) + 1e-9)
    echo[0] += 1
    size = 1 << (len(sound) + len(echo)).bit_length()
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(echo, size))[: len(sound)]


def _breathed(rng: np.random.Generator, sound: NDArray[np.floating]) -> NDArray[np.floating]:
    """Aspirate: noise through the sound's own spectrum, frame by frame, so that harmonics are filled in."""
    size, hop = 512, 128
    padded = np.pad(sound, size)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    out = np.zeros_like(padded)
    share = rng.uniform(0.2, 0.8)
    for at in range(0, len(padded) - size, hop):
        spectrum = np.fft.rfft(padded[at : at + size] * hann)
        smooth = np.convolve(np.abs(spectrum), np.ones(7) / 7, "same")
        noise = smooth * np.exp(2j * np.pi * rng.random(len(spectrum)))
        out[at : at + size] += np.fft.irfft((1 - share) * spectrum + share * noise) * hann
    return out[size:-size] / 1.5


def noise(rng: np.random.Generator, length: int) -> NDArray[np.floating]:
    """Wind, fans, hiss, hum: noise of some colour that swells a little, at a root mean square of 1."""
    frequency = np.fft.rfftfreq(length, 1 / RATE)
    octaves = np.log2(np.maximum(frequency, 40) / 40)
    decibels = -rng.uniform(-2, 9) * octaves
    for wave in range(1, 5):
        decibels = decibels + rng.normal(0, 5 / wave) * np.cos(np.pi * wave * octaves / 7.7 + rng.uniform(0, 6))
    sound = np.fft.irfft(np.fft.rfft(rng.normal(0, 1, length)) * 10 ** (decibels / 20), length)
    time = np.arange(length) / RATE
    sound = sound / (np.std(sound) + 1e-9) * (1 + rng.uniform(0, 0.4) * np.sin(2 * np.pi * rng.uniform(0.1, 2) * time))
    if rng.random() < 0.2:
        hum = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, int(rng.integers(2, 9))))
        sound = sound * rng.uniform(0, 1) + hum
    return sound / (np.std(sound) + 1e-9)


def corpus(count: int, seed: int) -> list[Sample]:
    """Make so many samples; in one of twelve nobody speaks."""
    rng, espeak, words = np.random.default_rng(seed), Espeak(), dictionary()
    samples = []
    for number in range(count):
        if number % 12:
            samples.append(performance(rng, spoken(rng, espeak, words)))
        else:
            sound = noise(rng, int(rng.uniform(2, 4) * RATE)) * 0.07 * 10 ** (-rng.uniform(0, 50) / 20)
            samples.append(sample(sound, track([], len(sound) / RATE)))
    return samples


def buzzes(count: int, seed: int) -> list[Sample]:
    """Make so many samples of vowels that no throat makes."""
    rng, samples = np.random.default_rng(seed), []
    for _ in range(count):
        sound, phones = buzzed(rng)
        sound = np.concatenate([sound * 0.07, np.zeros(RATE // 2)])
        samples.append(sample(sound, track(phones, len(sound) / RATE)))
    return samples
