"""The lips' edges: how the colours of lips, of skin and of what is between the lips part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avatard.face.fit import Floats, Numbers, Prior, fit
from avatard.face.landmarks import LIP_POINTS
from avatard.face.upright import UNIT, Upright

T = np.linspace(-1, 1, LIP_POINTS)


def _curves(numbers: Numbers, t: Numbers) -> Numbers:
    """The lips' four edges, (4, n), at places along the mouth; the numbers are explained in ``find_lips``."""
    middle, bend, gap, up, low, slant, tip = numbers[1], *numbers[3:9]
    seam = middle + bend * (1 - t**2) + slant * t - tip * np.abs(t) ** 5
    full = np.clip(1 - t**2, 0, 1) ** 0.75
    lip = np.clip(1 - np.abs(t) ** 2.4, 0, 1) ** 0.8
    gap, up, low = max(gap, 0.0), max(up, 0.015), max(low, 0.02)
    bow = 1 - 0.16 * np.exp(-((t / 0.14) ** 2))
    upper, lower = seam - gap / 2 * full, seam + gap / 2 * full
    return np.stack([upper - up * lip * bow, upper, lower, lower + low * lip])


def find_lips(frame: Upright, given: tuple[float, float, float, float] | None) -> Numbers:
    """The lips' edges upon the upright face, (4, 21, 2)."""
    # Middle x, middle y at the corners, half the width, how far the middle hangs, gap, upper lip, lower lip, slant,
    # how far the corners turn up.
    mean = np.array([0.0, 1.02, 0.44, 0.05, 0.05, 0.09, 0.12, 0.0, 0.0])
    spread = np.array([0.07, 0.10, 0.07, 0.06, 0.06, 0.03, 0.04, 0.03, 0.03])
    if given is not None:
        left, top, right, bottom = given
        high = bottom - top
        mean = np.array([(left + right) / 2, top + 0.4 * high, (right - left) / 2, 0.08 * high, 0.2 * high,
                         0.3 * high, 0.38 * high, 0.0, 0.0])  # fmt: skip
        spread = np.array([0.02, 0.12 * high, 0.02, 0.12 * high, 0.15 * high, 0.08 * high, 0.08 * high, 0.03, 0.02])
    patch, xs, ys = frame.patch(mean[0] - 0.72, mean[1] - 0.32, mean[0] + 0.72, mean[1] + 0.42)

    # What is seen between the lips is dark or teeth: two colours, each of its own.
    least, usual = np.percentile(patch[..., 0], (1, 50))
    dark = patch[..., 0] < least + 0.4 * (usual - least)

    def regions(numbers: Numbers) -> list[NDArray[np.bool_]]:
        t = (xs - numbers[0]) / max(numbers[2], 0.1)
        edges = _curves(numbers, t)
        edges[:, np.abs(t) >= 1] = 1e9
        top, upper, lower, bottom = (edge[None, :] for edge in edges)
        y = ys[:, None]
        inside = (y > upper) & (y < lower)
        return [(y > top) & (y < bottom) & ~inside, inside & dark, inside & ~dark]

    numbers, _ = fit(patch, regions, Prior(mean, spread))
    if _is_grey(patch) and _median(patch, regions(numbers)[0]) > usual + 3:
        return _bared(numbers)
    shut = _are_shut(patch, regions(numbers))
    if shut:
        # Without a gap, and the line where they meet is sought on its own.
        mean[4], spread[4] = -1.0, 1e-6
        numbers, _ = fit(patch, regions, Prior(mean, spread))
    edges = _curves(numbers, T)
    x = numbers[0] + numbers[2] * T
    if shut:
        edges[1] = edges[2] = _seam(patch[..., 0], (x - xs[0]) * UNIT, (edges[[0, 3]] - ys[0]) * UNIT) / UNIT + ys[0]
    return np.stack([np.broadcast_to(x, edges.shape), edges], -1)


def _is_grey(patch: Floats) -> bool:
    return bool(np.median(np.abs(patch[..., 2])) < 1.5)


def _median(patch: Floats, region: NDArray[np.bool_]) -> float:
    return float(np.median(patch[..., 0][region])) if region.any() else 0.0


def _bared(numbers: Numbers) -> Numbers:
    """The lips where, without colours, teeth were taken for the lower lip: nothing else there is lighter than skin."""
    top, _, lower, bottom = _curves(numbers, T)
    lip = 0.12 * np.clip(1 - np.abs(T) ** 2.4, 0, 1) ** 0.8
    edges = np.stack([top, lower, bottom, bottom + lip])
    return np.stack([np.broadcast_to(numbers[0] + numbers[2] * T, edges.shape), edges], -1)


def _are_shut(patch: Floats, regions: list[NDArray[np.bool_]]) -> bool:
    """Whether what the fit took for a gap is lip: as red as the lips, or without any colour no brighter."""
    lips, dark, light = (patch[region] for region in regions)
    if len(light) < 0.25 * (len(light) + len(dark)):
        return False
    lip, seen = np.median(lips, 0), np.median(light, 0)
    skin = np.median(patch.reshape(-1, 3), 0)
    if _is_grey(patch):
        return bool(seen[0] < lip[0] + 8)
    return bool(seen[1] > lip[1] - max(1.5, 0.04 * skin[0]))


def _seam(light: Floats, x: Numbers, outer: Numbers) -> Numbers:
    """Where shut lips meet: of the curves from corner to corner, the darkest line. All in the patch's pixels."""
    middle = slice(len(x) // 6, -(len(x) // 6))
    best, line = np.inf, outer.mean(0)
    for share in np.linspace(0.2, 0.75, 45):
        curve = outer[0] + share * (outer[1] - outer[0])
        here, above, below = (
            light[
                np.clip(np.round(curve + off), 0, len(light) - 1).astype(int)[middle],
                np.clip(np.round(x), 0, light.shape[1] - 1).astype(int)[middle],
            ].mean()
            for off in (0, -2.5, 2.5)
        )
        score = here - 0.5 * (above + below) + 8 * (share - 0.45) ** 2
        if score < best:
            best, line = score, curve
    return np.asarray(line, np.float64)
