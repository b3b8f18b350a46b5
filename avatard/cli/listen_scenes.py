"""The household of ``avatard bench listen``, minute by minute: who talks in it, and what else sounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatard.api.flow import Samples
from avatard.cli.listen_sounds import HERTZ, NOISES, coloured, even, music
from avatard.cli.listen_words import Dice, sentence
from avatard.cli.rooms import Room, room
from avatard.runtime.voices import Voices, Wave
from avatard.talk.recorded import level

SECONDS = 60
"""Of one scene."""
KINDS = {"talk": 0.35, "television": 0.2, "music": 0.15, "crowd": 0.1, "noise": 0.1, "quiet": 0.1}
"""Shares of the time: few homes are so loud."""
MANNERS = ((120, 35), (140, 65), (155, 45), (170, 55), (185, 75), (210, 50))
"""Words a minute and pitch of those who talk; each is an espeak-ng of its own."""


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence in a scene."""

    begins: float
    """Seconds of the scene"""
    ends: float
    """Seconds of the scene"""
    text: str
    voice: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A minute."""

    kind: str
    sound: Samples
    """16 kHz"""
    said: tuple[Said, ...]

    def at(self, seconds: float) -> tuple[Said, ...]:
        """What was being said then, or just before."""
        return tuple(one for one in self.said if one.begins <= seconds <= one.ends + 1)


class Household:
    """Scenes without end; the same seed gives the same ones."""

    def __init__(self, speaking: Voices, seed: int) -> None:
        """Nobody has spoken yet."""
        self._voices, self._seed = speaking, seed

    async def scene(self, number: int) -> Scene:
        """One minute."""
        dice = np.random.default_rng((self._seed, number))
        kind = str(dice.choice(list(KINDS), p=list(KINDS.values())))
        samples = SECONDS * HERTZ
        here = room(int(dice.integers(2**31)), wet=_between(dice, 0.01, 0.2))
        sound = coloured(dice, samples, float(dice.choice((0, 1, 2)))) * _between(dice, 5, 60)
        if kind == "noise" or dice.random() < 0.3:
            make = NOISES[int(dice.integers(len(NOISES)))]
            sound += make(dice, samples) * _between(dice, 100, 4000 if kind == "noise" else 600)
        loud = _between(dice, 200, 6000)
        if kind in ("music", "television"):
            sound += here.heard(music(dice, samples), late=False) * (loud if kind == "music" else loud / 4)
        threads = {"talk": int(dice.integers(1, 3)), "television": 1, "crowd": int(dice.integers(4, 9))}.get(kind, 0)
        said: list[Said] = []
        for _ in range(threads):
            said += await self._thread(dice, sound, here, loud * (0.5 if kind == "crowd" else 1))
        return Scene(kind, np.clip(sound, -32768, 32767).astype(np.int16), tuple(said))

    async def _thread(self, dice: Dice, sound: Wave, here: Room, loud: float) -> list[Said]:
        """Some people, one after the other."""
        said, at = [], int(dice.uniform(0, 2) * HERTZ)
        while at < len(sound):
            text, voice = sentence(dice)
            spoken = await self.spoken(dice, text, voice)
            spoken = here.heard(np.pad(spoken, (0, HERTZ // 4)), late=False)
            spoken *= loud * _between(dice, 0.5, 2) / level(spoken)
            spoken = spoken[: len(sound) - at]
            sound[at : at + len(spoken)] += spoken
            said.append(Said(at / HERTZ, (at + len(spoken)) / HERTZ, text, voice))
            at += len(spoken) + int(dice.exponential(0.6) * HERTZ)
        return said

    async def spoken(self, dice: Dice, text: str, voice: str) -> Wave:
        """A sentence, by a larger or a smaller mouth."""
        manner = MANNERS[int(dice.integers(len(MANNERS)))]
        spoken = await self._voices.say(text, voice, *manner, hertz=round(HERTZ * dice.uniform(0.9, 1.12)))
        return even(spoken) * 2000


def _between(dice: Dice, low: float, high: float) -> float:
    """As likely to be twice as loud as half as loud."""
    return float(np.exp(dice.uniform(np.log(low), np.log(high))))
