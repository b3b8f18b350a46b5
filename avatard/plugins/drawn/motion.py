"""How the face lives: it breathes, tilts, looks about and blinks. A pure function of the picture's number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from avatard.api.flow import FPS

BLINK = (0.35, 1.0, 1.0, 0.6, 0.25)
"""How far the lids are shut in a blink's pictures."""
BLINK_WINDOW = 4 * FPS
"""One blink falls into the middle half of each window, so that 2 to 6 seconds lie between two."""
LOOK_WINDOW = 48
"""The eyes may jump once in as many pictures."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where everything is in one picture; lengths in units of the 512-unit sheet."""

    shift: tuple[float, float] = (0.0, 0.0)
    """The head: right, down."""
    tilt: float = 0.0
    """The head, radians clockwise."""
    turn: tuple[float, float] = (0.0, 0.0)
    """The features upon the head: right, down."""
    gaze: tuple[float, float] = (0.0, 0.0)
    """The eyes within their sockets: right, down."""
    lids: float = 0.0
    """0 open - 1 shut"""
    sway: float = 0.0
    """The leaves' tips: right."""

    def part(self, share: float) -> Pose:
        """Return the pose between looking straight ahead (0) and this one (1)."""
        return Pose(
            shift=(self.shift[0] * share, self.shift[1] * share), tilt=self.tilt * share,
            turn=(self.turn[0] * share, self.turn[1] * share), gaze=(self.gaze[0] * share, self.gaze[1] * share),
            lids=self.lids * share, sway=self.sway * share,
        )  # fmt: skip


class Life:
    """A seed's motion; with a length it is a loop whose last picture leads back into its first."""

    def __init__(self, seed: int, length: int | None = None) -> None:
        """Take the seed, and the pictures in the loop where it is one."""
        self._seed, self._length = seed, length
        self._window: float = BLINK_WINDOW
        if length is not None:
            self._window = length / max(1, round(length / BLINK_WINDOW))

    def pose(self, index: int) -> Pose:
        """Return the pose of a picture; picture 0 looks straight ahead."""
        breath = self._wave(index, 4.2)
        return Pose(
            shift=(2.2 * self._wave(index, 6.7), 2.6 * breath),
            tilt=0.013 * self._wave(index, 5.7),
            turn=(3.0 * self._wave(index, 7.9), 1.4 * self._wave(index, 4.9)),
            gaze=self._gaze(index),
            lids=self._lids(index),
            sway=5.0 * self._wave(index, 3.1) - 3.0 * self._wave(index, 5.7),
        )

    def _wave(self, index: int, seconds: float) -> float:
        """A sine of about this period; in a loop a whole number of times around."""
        if self._length is None:
            return math.sin(2 * math.pi * index / (seconds * FPS))
        return math.sin(2 * math.pi * round(self._length / (seconds * FPS)) * index / self._length)

    def _lids(self, index: int) -> float:
        if self._window < BLINK_WINDOW / 2:
            return 0.0
        number = int(index // self._window)
        when, twice = _dice(self._seed, 1, number)[:2]
        at = index - int((number + 0.25 + 0.5 * when) * self._window)
        if twice < 0.12 and at >= len(BLINK):
            at -= len(BLINK)
        return BLINK[at] if 0 <= at < len(BLINK) else 0.0

    def _gaze(self, index: int) -> tuple[float, float]:
        number = index // LOOK_WINDOW
        jump = 6 + _dice(self._seed, 2, number)[0] * (LOOK_WINDOW - 12)
        share = min(1.0, max(0.0, (index - number * LOOK_WINDOW - jump) / 2))
        before, after = self._target(number - 1), self._target(number)
        return before[0] + (after[0] - before[0]) * share, before[1] + (after[1] - before[1]) * share

    def _target(self, number: int) -> tuple[float, float]:
        """Where the eyes look: mostly at whoever is there, and in time for a loop's end."""
        if number < 1 or (self._length is not None and (number + 2) * LOOK_WINDOW > self._length):
            return 0.0, 0.0
        away, right, down = _dice(self._seed, 3, number)
        return (12 * right - 6, 5 * down - 3) if away < 0.5 else (0.0, 0.0)


@lru_cache(64)
def _dice(seed: int, what: int, number: int) -> tuple[float, float, float]:
    """Three throws, 0-1, that are the same each time for the same window of the same life."""
    first, second, third = np.random.default_rng((seed, what, number + 1)).random(3)
    return float(first), float(second), float(third)
