"""Fitting a drawn outline to a picture: the one that parts the colours best.

Each region (skin, lips, what is between them) is taken to have one colour that varies a little; the outline under
which the regions vary least is the answer (Chan and Vese, "Active contours without edges", 2001; here with full
covariances and a few numbers instead of a free contour).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Numbers = NDArray[np.float64]

Regions = Callable[[Numbers], list[NDArray[np.bool_]]]
"""From an outline's numbers to a mask of the patch for each region but the last, which is the rest."""

ROUNDS, EACH = 26, 40
"""Generations, and outlines tried in each."""
NOISE = 9.0
"""Squared units of Lab: no region is taken to vary less, or a region of few pixels would win."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What an outline is expected to be."""

    mean: Numbers
    spread: Numbers
    """Standard deviations."""
    weight: float = 0.004
    """Of one squared deviation, against half a log-determinant for each pixel."""


def fit(
    patch: Floats, regions: Regions, prior: Prior, seed: int = 1, rounds: int = ROUNDS
) -> tuple[Numbers, float]:
    """The outline's numbers that part the patch best, and how badly; a cross-entropy search, the same each time.

    Args:
        patch: Lab colours, (height, width, 3).
        regions: draws the outline.
        prior: where to look.
        seed: of the search.
        rounds: how long to look.
    """
    rng = np.random.default_rng(seed)
    colours = patch.reshape(-1, 3).astype(np.float64)
    moments = np.concatenate([np.ones((len(colours), 1)), colours, _products(colours)], 1)
    total = moments.sum(0)

    def energy(numbers: Numbers) -> float:
        rest, value = total.copy(), 0.0
        for region in regions(numbers):
            sums = moments[region.ravel()].sum(0)
            rest -= sums
            value += _cost(sums)
        away = (numbers - prior.mean) / prior.spread
        return float((value + _cost(rest)) / total[0] + prior.weight * (away @ away))

    mean, spread = prior.mean.copy(), prior.spread.copy()
    best, lowest = mean, energy(mean)
    for _ in range(rounds):
        tried = mean + spread * rng.standard_normal((EACH, len(mean)))
        costs = np.array([energy(numbers) for numbers in tried])
        chosen = tried[np.argsort(costs)[: EACH // 5]]
        if costs.min() < lowest:
            best, lowest = tried[int(np.argmin(costs))], float(costs.min())
        mean = 0.3 * mean + 0.7 * chosen.mean(0)
        spread = 0.4 * spread + 0.6 * chosen.std(0)
    return best, lowest


def _products(colours: Numbers) -> Numbers:
    first, second = np.triu_indices(3)
    return colours[:, first] * colours[:, second]


def _cost(sums: Numbers) -> float:
    """Half the log-determinant of a region's covariance, for each of its pixels."""
    count, *rest = sums.tolist()
    if count < 1:
        return 0.0
    # In plain numbers, which for a 3 x 3 matrix are far faster than arrays: a fit does this thousands of times.
    x, y, z, xx, xy, xz, yy, yz, zz = (value / count for value in rest)
    a, b, c = xx - x * x + NOISE, xy - x * y, xz - x * z
    d, e, f = yy - y * y + NOISE, yz - y * z, zz - z * z + NOISE
    determinant = a * (d * f - e * e) - b * (b * f - c * e) + c * (b * e - c * d)
    return float(count * 0.5 * math.log(max(determinant, 1e-9)))
