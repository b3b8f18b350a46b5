"""Who says the wake phrases in ``avatard bench listen``, and where."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatard.api.errors import ConfigError
from avatard.api.flow import LISTEN_RATE, Samples
from avatard.cli.listen_scenes import Household
from avatard.cli.listen_sounds import HERTZ, NOISES, coloured, even, music
from avatard.cli.listen_words import Dice, sentence
from avatard.cli.rooms import room
from avatard.runtime.voices import Voices, Wave
from avatard.talk.recorded import level

ACCENTS = ("en-us", "en", "en-029", "en-gb-scotland")
SPEAKERS = (
    "Andy", "Diogo", "Jacky", "Marco", "Michael", "Nguyen", "anika", "aunty", "benjamin", "caleb", "ed",
    "gustave", "grandma", "john", "linda", "max", "miguel", "pablo", "pedro", "rob", "steph",
)  # fmt: skip
"""Variants of espeak-ng's voices: none that talks in the household, or in bench echo."""
MANNERS = ((130, 50), (150, 40), (165, 60))
"""Words a minute and pitch."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody says it."""

    name: str
    wet: float
    """As in ``rooms.room``"""
    loud: float
    """Root mean square of the voice"""
    noise: str
    below: float
    """dB that the noise is below the voice"""


PLACES = (
    Place("near", 0.02, 3000, "quiet", 40), Place("across the room", 0.15, 800, "quiet", 25),
    Place("noise, 10 dB below", 0.06, 2000, "noise", 10), Place("music, 10 dB below", 0.06, 2000, "music", 10),
    Place("voices, 10 dB below", 0.06, 2000, "voices", 10),
)  # fmt: skip
BEFORE, AFTER = 2.5, 1.0
"""Seconds of the place's own sound before the phrase and after it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who says a phrase."""

    phrase: str
    voice: str
    sound: Wave


@dataclass(frozen=True, slots=True)
class Attempt:
    """A phrase said in a place."""

    person: Person
    place: Place
    sound: Samples
    begins: float
    """Seconds of the sound"""
    ends: float
    """Seconds of the sound"""


async def people(speaking: Voices, phrases: Sequence[str], count: int, seed: int) -> list[Person]:
    """So many synthetic voices, each of which says every phrase."""
    dice = np.random.default_rng((seed, 1))
    names = [f"{accent}+{speaker}" for speaker in SPEAKERS for accent in ACCENTS]
    several: list[Person] = []
    for name in dice.permutation(names)[:count]:
        manner = MANNERS[int(dice.integers(len(MANNERS)))]
        for phrase in phrases:
            said = await speaking.say(f"{phrase.replace('_', ' ')}.", str(name), *manner)
            several.append(Person(phrase, str(name), said))
    return several


def recorded(given: str, phrases: Sequence[str]) -> Person:
    """A person from PHRASE=WAV.

    Raises:
        ConfigError: no such phrase is listened for, or the file is no recording of 16 kHz, mono, 16 bits.
    """
    phrase, _, path = given.partition("=")
    if phrase not in phrases:
        known = ", ".join(phrases)
        raise ConfigError(f"--person {given}: {phrase!r} is not listened for; there are {known}; give PHRASE=FILE.wav")
    try:
        with wave.open(path, "rb") as file:
            if file.getparams()[:3] != (1, 2, LISTEN_RATE):
                raise ConfigError(f"--person: {path}: give a recording of 16 kHz, mono, 16 bits")
            sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float64)
    except (OSError, EOFError, wave.Error) as err:
        raise ConfigError(f"--person: {path}: no recording ({err})") from err
    return Person(phrase, Path(path).name, sound)


class Stage:
    """The places, each with its own sound."""

    def __init__(self, household: Household, seed: int) -> None:
        """Nobody has said anything yet."""
        self._household, self._seed = household, seed

    async def attempt(self, person: Person, place: Place, number: int) -> Attempt:
        """Let a person say their phrase in a place."""
        dice = np.random.default_rng((self._seed, 2, number))
        here = room(int(dice.integers(2**31)), wet=place.wet)
        said = here.heard(np.pad(person.sound, (0, HERTZ // 4)), late=False)
        said *= place.loud / level(said)
        begin = int(BEFORE * HERTZ)
        samples = begin + len(said) + int(AFTER * HERTZ)
        sound = await self._noise(dice, place.noise, samples) * (place.loud / 10 ** (place.below / 20))
        sound[begin : begin + len(said)] += said
        whole = np.clip(sound, -32768, 32767).astype(np.int16)
        return Attempt(person, place, whole, begin / HERTZ, (begin + len(said)) / HERTZ)

    async def _noise(self, dice: Dice, kind: str, samples: int) -> Wave:
        if kind == "noise":
            return NOISES[int(dice.integers(len(NOISES)))](dice, samples)
        if kind == "music":
            return music(dice, samples)
        if kind == "voices":
            several = np.zeros(samples)
            for _ in range(4):
                one = np.tile(await self._household.spoken(dice, *sentence(dice)), 20)
                several += np.roll(one, int(dice.integers(len(one))))[:samples]
            return even(several)
        return coloured(dice, samples, 1)
