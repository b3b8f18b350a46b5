"""Who speaks in ``avatard bench echo``, what is said, and in which rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avatard.api.flow import LISTEN_RATE
from avatard.cli.echo_guards import Guards
from avatard.cli.echo_tally import PHRASES
from avatard.cli.listen_people import ACCENTS, SPEAKERS, Person
from avatard.cli.listen_words import EVERYDAY, TALKERS, ordinary
from avatard.cli.rooms import Room, room
from avatard.runtime.voices import Voices, Wave
from avatard.talk.recorded import level

OURS = ("en-us", "en-us+f3", "en-029+f3", "en-gb-scotland+f2", "en-us+m3", "en-029+m1")
"""Voices that it speaks with: the default, and some that the detectors take for a person's most readily."""
TEMPTING = (
    "You can wake me. {}. Then ask for the time.", "{}. I am listening.", "{}, turn on the kitchen lights.",
    "Here it comes: {}.", "I said {}, and nothing happened.", "One, two, three. {}. Four, five, six.",
)  # fmt: skip
PLAIN = (
    "It is ten past four in the afternoon, and the sun will go down at half past seven.",
    "The kitchen lights are on, the office lights are off, and the window in the bedroom is still open.",
    "Tomorrow will be mostly cloudy, with a little rain in the evening and a light wind from the west.",
    "The washing machine has finished, and there are twelve minutes left on the timer for the pizza.",
)
PEOPLE = {
    "okay_nabu": (("en-029+m3", 140), ("en-us+m1", 140), ("en-us+m5", 165)),
    "hey_jarvis": (("en-gb-scotland+f2", 140), ("en-029+f4", 140), ("en-029+f3", 165)),
    "alexa": (("en-us+m7", 140), ("en-gb-x-rp", 165), ("en-gb-scotland+m1", 165)),
}
"""Voices of those who interrupt, and words a minute: each is heard where nothing else sounds."""
OTHERWISE = (
    "My name is {}.", "Whenever you say {}, I wake up.", "Did you call? It sounded like {}.", "{}, {}, and again {}.",
    "The film begins with a man who shouts {} into the night.", "Nobody in this house says {} before breakfast.",
    "{} is what the neighbours say to theirs.", "Spell it out, and then say {} quickly.",
)  # fmt: skip

PERSON = 4000.0
"""Root mean square of one who interrupts."""
OURS_COUNT, COUNT = 6, 3
"""Voices of ours, and people for each phrase."""
TRIALS = 12
"""Rooms in which a voice is heard before it is taken."""

Line = tuple[str, str]
"""A text, and the voice that says it."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who speaks; 0 is the seed with which the guards were tuned, and no other shares a voice or a room with it."""

    seed: int
    ours: tuple[str, ...]
    """Voices that it speaks with."""
    people: tuple[tuple[str, Wave], ...]
    """Phrases, and how somebody says them who interrupts."""

    def tempting(self, number: int) -> list[Line]:
        """Sentences with wake phrases in them."""
        several = OTHERWISE if self.seed else TEMPTING
        texts = [several[(number + i) % len(several)] for i in range(3)]
        return self._voiced([text.replace("{}", p) for text in texts for p in PHRASES.values()], number)

    def plain(self, number: int) -> list[Line]:
        """An ordinary answer."""
        if not self.seed:
            return self._voiced([PLAIN[(number + i) % len(PLAIN)] for i in range(4)], number)
        dice = np.random.default_rng((self.seed, 4, number))
        return self._voiced([f"{ordinary(dice, EVERYDAY)} {ordinary(dice, EVERYDAY)}" for _ in range(4)], number)

    def room(self, number: int) -> Room:
        """Where it stands."""
        return room(100_000 * self.seed + number)

    def _voiced(self, texts: list[str], number: int) -> list[Line]:
        return [(text, self.ours[(number + index) % len(self.ours)]) for index, text in enumerate(texts)]


class Audition:
    """Chooses voices that the detector knows: of others an interrupt tells nothing, and ours would not tempt it."""

    def __init__(self, seed: int, guards: Guards, speaking: Voices) -> None:
        """Let this detector choose among these voices."""
        self._seed, self._guards, self._voices = seed, guards, speaking
        self._dice = np.random.default_rng((seed, 5))

    async def cast(self, recorded: Sequence[Person] = ()) -> Cast:
        """Choose; people who were recorded take part in any case."""
        more = [(person.phrase, person.sound) for person in recorded]
        if not self._seed:
            said = [(p, await self._said(p, voice, rate)) for p, those in PEOPLE.items() for voice, rate in those]
            return Cast(0, OURS, (*said, *more))
        ours: list[str] = []
        for name in self._drawn(TALKERS):
            if len(ours) == OURS_COUNT:
                break
            known = [await self._known(phrase, await self._said(phrase, name)) for phrase in PHRASES]
            if sum(known) >= 2:
                ours.append(name)
        people = []
        for phrase in PHRASES:
            these: list[tuple[str, Wave]] = []
            for name in self._drawn(SPEAKERS):
                if len(these) == COUNT:
                    break
                sound = await self._said(phrase, name, int(self._dice.choice((140, 150, 165))))
                if await self._known(phrase, sound):
                    these.append((phrase, sound))
            people += these
        return Cast(self._seed, tuple(ours), (*people, *more))

    def _drawn(self, variants: Sequence[str]) -> list[str]:
        return list(map(str, self._dice.permutation([f"{accent}+{one}" for accent in ACCENTS for one in variants])))

    async def _said(self, phrase: str, voice: str, rate: int = 165) -> Wave:
        return await self._voices.say(f"{PHRASES[phrase]}.", voice, rate, 45)

    async def _known(self, phrase: str, said: Wave) -> bool:
        """Whether the detector finds the phrase in each room, where nothing else sounds."""
        for trial in range(TRIALS):
            here = room(100_000 * self._seed + 50_000 + trial)
            said_there = here.heard(np.pad(said, (0, LISTEN_RATE // 4)), late=False)
            quiet = self._dice.normal(0, 20, 4 * LISTEN_RATE + len(said_there))
            quiet[2 * LISTEN_RATE : 2 * LISTEN_RATE + len(said_there)] += said_there * (PERSON / level(said_there))
            if not any(found == phrase for found, _ in await self._guards.plain(quiet)):
                return False
        return True
