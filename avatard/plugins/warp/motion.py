"""How a photograph lives: it sways by a hair, breathes and blinks. A pure function of the picture's number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from avatard.api.flow import FPS

BLINK = (0.45, 1.0, 1.0, 0.7, 0.3)
"""How far the lids are shut in a blink's pictures."""
WINDOW = 4 * FPS
"""One blink falls into the middle half of each window: 2 to 6 seconds lie between two."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is; lengths in thousandths of the picture's side."""

    shift: tuple[float, float] = (0.0, 0.0)
    """Right, down."""
    tilt: float = 0.0
    """Radians clockwise."""
    turn: tuple[float, float] = (0.0, 0.0)
    """The middle of the face against its outline: right, down."""
    lids: float = 0.0
    """0 as in the photograph - 1 shut"""


def pose(seed: int, index: int, length: int | None = None) -> Pose:
    """The pose of a picture; with a length it belongs to a loop whose end meets its start. Picture 0 is at rest."""

    def wave(seconds: float) -> float:
        """A sine of about this period; in a loop a whole number of times around."""
        if length is None:
            return math.sin(2 * math.pi * index / (seconds * FPS))
        return math.sin(2 * math.pi * round(length / (seconds * FPS)) * index / length)

    return Pose(
        shift=(2.2 * wave(7.1), 2.0 * wave(4.3)),
        tilt=0.008 * wave(6.1),
        turn=(3.6 * wave(8.3), 1.8 * wave(5.3)),
        lids=_lids(seed, index, length),
    )


def _lids(seed: int, index: int, length: int | None) -> float:
    window: float = WINDOW if length is None else length / max(1, round(length / WINDOW))
    if window < WINDOW / 2:
        return 0.0
    number = int(index // window)
    at = index - int((number + 0.25 + 0.5 * _dice(seed, number)) * window)
    return BLINK[at] if 0 <= at < len(BLINK) else 0.0


@lru_cache(64)
def _dice(seed: int, number: int) -> float:
    """A throw, 0-1, that is the same each time for the same window of the same life."""
    return float(np.random.default_rng((seed, number + 1)).random())
