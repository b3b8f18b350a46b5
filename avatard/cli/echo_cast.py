"""Who speaks in ``avatard bench echo``, what is said, and in which rooms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from avatard.cli.echo_tally import PHRASES
from avatard.cli.listen_people import ACCENTS, SPEAKERS
from avatard.cli.listen_words import TALKERS, ordinary
from avatard.cli.rooms import Room, room

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

Line = tuple[str, str]
"""A text, and the voice that says it."""


class Cast:
    """The cast of one seed; 0 is that with which the guards were tuned, and no other shares a voice or a room with it."""

    count = 3
    """People for each phrase"""

    def __init__(self, seed: int) -> None:
        """Draw it."""
        self.seed = seed
        self._ours: tuple[str, ...] = OURS
        self._tempting: tuple[str, ...] = TEMPTING
        if seed:
            names = [f"{accent}+{talker}" for accent in ACCENTS for talker in TALKERS]
            self._ours = tuple(map(str, np.random.default_rng((seed, 3)).choice(names, len(OURS), replace=False)))
            self._tempting = OTHERWISE

    def tempting(self, number: int) -> list[Line]:
        """Sentences with wake phrases in them."""
        texts = [self._tempting[(number + i) % len(self._tempting)] for i in range(3)]
        return self._voiced([text.replace("{}", p) for text in texts for p in PHRASES.values()], number)

    def plain(self, number: int) -> list[Line]:
        """An ordinary answer."""
        if not self.seed:
            return self._voiced([PLAIN[(number + i) % len(PLAIN)] for i in range(4)], number)
        dice = np.random.default_rng((self.seed, 4, number))
        return self._voiced([f"{ordinary(dice)} {ordinary(dice)}" for _ in range(4)], number)

    def people(self, phrase: str) -> Iterator[tuple[str, int]]:
        """Voices that may interrupt with it, and words a minute; more than ``count``, as not each is heard."""
        if not self.seed:
            yield from PEOPLE[phrase]
            return
        dice = np.random.default_rng((self.seed, 5, *phrase.encode()))
        for name in dice.permutation([f"{accent}+{speaker}" for accent in ACCENTS for speaker in SPEAKERS]):
            yield str(name), int(dice.choice((140, 150, 165)))

    def room(self, number: int) -> Room:
        """Where it stands."""
        return room(100_000 * self.seed + number)

    def _voiced(self, texts: list[str], number: int) -> list[Line]:
        return [(text, self._ours[(number + index) % len(self._ours)]) for index, text in enumerate(texts)]
