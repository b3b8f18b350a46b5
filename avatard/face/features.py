"""Eyes, mouth and outline within a face's box, from the picture alone: no model is needed.

Where they are on average says where to look; how the colours part says the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Pixels
from avatard.face.bundle import Box
from avatard.face.fit import Floats, Numbers, Prior, fit
from avatard.face.landmarks import LID_POINTS, LIP_POINTS, OVAL_POINTS, Landmarks, Points

UNIT = 64.0
"""Pixels between the eyes in the patches that are looked at."""
PAIR = 0.45
"""Distance between the eyes, in widths of a square face box, on average."""


def square(box: Box) -> tuple[float, float, float]:
    """Left, top and side of the square, from the hairline to below the lips, of a face's box (forehead to chin)."""
    x, y, w, h = box
    side = (w / 0.88 + h / 1.16) / 2
    return x + w / 2 - side / 2, y - 0.02 * side, side


def face_box(left: float, top: float, side: float) -> Box:
    """A face's box, forehead to chin, from the square that a cascade finds; the reverse of ``square``."""
    return round(left + 0.06 * side), round(top + 0.02 * side), round(0.88 * side), round(1.16 * side)


def box_of(marks: Landmarks) -> Box:
    """A face's box from its outline."""
    left, top = np.floor(marks.oval.min(0)).astype(int)
    right, bottom = np.ceil(marks.oval.max(0)).astype(int)
    return int(left), int(top), int(right - left), int(bottom - top)


def find(picture: Pixels, box: Box, mouth: Box | None = None) -> Landmarks:
    """Find a face's features.

    Args:
        picture: the whole picture.
        box: the face, forehead to chin.
        mouth: around the lips, where a person has said it.
    """
    import cv2

    pair = _pupils(cv2, picture, square(box))
    frame = _Frame(cv2, picture, pair)
    lips = _lips(frame, None if mouth is None else frame.inside(mouth))
    eyes = np.stack([_lids(frame, side) for side in (-0.5, 0.5)])
    return Landmarks(frame.back(lips), frame.back(eyes), frame.back(_oval(frame, lips)))


class _Frame:
    """The face upright: its eyes at (-0.5, 0) and (0.5, 0), y downwards."""

    def __init__(self, cv2: Any, picture: Pixels, pair: Points) -> None:
        self._cv2, self._picture = cv2, picture
        across = pair[1] - pair[0]
        self._turn = np.array([[across[0], -across[1]], [across[1], across[0]]], np.float64)
        self._middle = pair.mean(0).astype(np.float64)

    def back(self, points: NDArray[Any]) -> Points:
        """From the upright face to the picture."""
        return (points @ self._turn.T + self._middle).astype(np.float32)

    def inside(self, box: Box) -> tuple[float, float, float, float]:
        """A box of the picture as left, top, right, bottom upon the upright face."""
        x, y, w, h = box
        corners = np.array([[x, y + h / 2], [x + w, y + h / 2], [x + w / 2, y], [x + w / 2, y + h]], np.float64)
        places = (corners - self._middle) @ np.linalg.inv(self._turn).T
        return float(places[0, 0]), float(places[2, 1]), float(places[1, 0]), float(places[3, 1])

    def patch(self, left: float, top: float, right: float, bottom: float) -> tuple[Floats, Numbers, Numbers]:
        """Lab colours of a part of the upright face, and the x and y of its pixels."""
        xs, ys = np.arange(left, right, 1 / UNIT), np.arange(top, bottom, 1 / UNIT)
        places = self.back(np.stack(np.meshgrid(xs, ys), -1))
        flags = self._cv2.INTER_LINEAR
        picture = self._cv2.GaussianBlur(self._picture, (0, 0), max(0.3, 0.4 * np.hypot(*self._turn[:, 0]) / UNIT))
        seen = self._cv2.remap(picture, places, None, flags, borderMode=self._cv2.BORDER_REPLICATE)
        lab = self._cv2.cvtColor(seen.astype(np.float32) / 255, self._cv2.COLOR_BGR2LAB)
        return np.asarray(lab, np.float32), xs, ys


def _pupils(cv2: Any, picture: Pixels, face: tuple[float, float, float]) -> Points:
    """The two pupils: dark spots where eyes are on average, as a pair."""
    left, top, side = face
    size = 128
    xs, ys = left + (np.arange(size) + 0.5) / size * side, top + (np.arange(size) + 0.5) / size * side
    where = np.stack(np.meshgrid(xs, ys), -1).astype(np.float32)
    blurred = cv2.GaussianBlur(picture, (0, 0), max(0.3, 0.4 * side / size))
    seen = cv2.remap(blurred, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    grey = np.log1p(cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY).astype(np.float32))
    dark = cv2.GaussianBlur(grey, (0, 0), 9) - cv2.GaussianBlur(grey, (0, 0), 2.6)
    dark /= dark.std() + 1e-6
    found = [_spots(cv2, dark, at) for at in (0.29, 0.71)]
    best, place = -np.inf, None
    for score_left, eye_left in found[0]:
        for score_right, eye_right in found[1]:
            apart = (eye_right - eye_left) / size
            slant = np.arctan2(apart[1], apart[0])
            odd = ((np.hypot(*apart) - PAIR) / 0.06) ** 2 + (slant / 0.16) ** 2
            if score_left + score_right - 0.35 * odd > best:
                best, place = score_left + score_right - 0.35 * odd, np.stack([eye_left, eye_right])
    assert place is not None
    return np.asarray(np.array([left, top]) + (place + 0.5) / size * side, np.float32)


def _spots(cv2: Any, dark: Floats, across: float) -> list[tuple[float, Numbers]]:
    """The darkest spots near where an eye is on average, with their scores."""
    size = len(dark)
    y, x = np.mgrid[:size, :size] / size
    score = dark - 0.5 * (((x - across) / 0.07) ** 2 + ((y - 0.36) / 0.07) ** 2)
    peaks = (score == cv2.dilate(score, np.ones((9, 9), np.uint8))).nonzero()
    order = np.argsort(-score[peaks])[:6]
    return [(float(score[peaks][i]), np.array([peaks[1][i], peaks[0][i]], np.float64)) for i in order]


T = np.linspace(-1, 1, LIP_POINTS)


def _curves(numbers: Numbers, t: Numbers) -> Numbers:
    """The lips' four edges, (4, n), at places along the mouth; the numbers are explained in ``_lips``."""
    middle, bend, gap, up, low, slant, tip = numbers[1], *numbers[3:9]
    seam = middle + bend * (1 - t**2) + slant * t - tip * np.abs(t) ** 5
    full = np.clip(1 - t**2, 0, 1) ** 0.75
    lip = np.clip(1 - np.abs(t) ** 2.4, 0, 1) ** 0.8
    gap, up, low = max(gap, 0.0), max(up, 0.015), max(low, 0.02)
    bow = 1 - 0.16 * np.exp(-((t / 0.14) ** 2))
    upper, lower = seam - gap / 2 * full, seam + gap / 2 * full
    return np.stack([upper - up * lip * bow, upper, lower, lower + low * lip])


def _lips(frame: _Frame, given: tuple[float, float, float, float] | None) -> Numbers:
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
    dark = patch[..., 0] < (np.percentile(patch[..., 0], 1) + np.median(patch[..., 0])) / 2

    def regions(numbers: Numbers) -> list[NDArray[np.bool_]]:
        t = (xs - numbers[0]) / max(numbers[2], 0.1)
        edges = _curves(numbers, t)
        edges[:, np.abs(t) >= 1] = 1e9
        top, upper, lower, bottom = (edge[None, :] for edge in edges)
        y = ys[:, None]
        inside = (y > upper) & (y < lower)
        return [(y > top) & (y < bottom) & ~inside, inside & dark, inside & ~dark]

    numbers = fit(patch, regions, Prior(mean, spread))
    x = np.broadcast_to(numbers[0] + numbers[2] * T, (4, LIP_POINTS))
    return np.stack([x, _curves(numbers, T)], -1)


def _lids(frame: _Frame, side: float) -> Numbers:
    """An eye's lids upon the upright face, (2, 11, 2)."""
    # Middle x and y, half the width, height above and below the corners' line, slant.
    mean = np.array([side, 0.01, 0.21, 0.075, 0.05, 0.0])
    spread = np.array([0.03, 0.02, 0.025, 0.015, 0.012, 0.015])
    patch, xs, ys = frame.patch(side - 0.36, -0.13, side + 0.36, 0.17)
    t = np.linspace(-1, 1, LID_POINTS)

    def edges(numbers: Numbers, at: Numbers) -> Numbers:
        full = np.clip(1 - np.abs(at) ** 2.2, 0, 1)
        line = numbers[1] + numbers[5] * at
        return np.stack([line - max(numbers[3], 0.02) * full, line + max(numbers[4], 0.01) * full])

    def regions(numbers: Numbers) -> list[NDArray[np.bool_]]:
        at = (xs - numbers[0]) / max(numbers[2], 0.1)
        upper, lower = edges(numbers, at)
        upper[np.abs(at) >= 1] = 1e9
        return [(ys[:, None] > upper[None, :]) & (ys[:, None] < lower[None, :])]

    numbers = fit(patch, regions, Prior(mean, spread, 0.02))
    x = np.broadcast_to(numbers[0] + numbers[2] * t, (2, LID_POINTS))
    return np.stack([x, edges(numbers, t)], -1)


def _oval(frame: _Frame, lips: Numbers) -> Numbers:
    """Around the face, (32, 2): an egg through the chin; the chin is the edge that is sought below the lips."""
    low = float(lips[3, LIP_POINTS // 2, 1])
    middle = float(lips[:, LIP_POINTS // 2, 0].mean())
    expected = 1.76
    patch, _, ys = frame.patch(middle - 0.2, low + 0.2, middle + 0.2, expected + 0.35)
    light = patch[..., 0].mean(1)
    step = np.abs(np.convolve(light, np.repeat([1.0, -1.0], 4) / 4, "same"))[4:-4]
    score = step / (step.std() + 1e-6) - 0.5 * ((ys[4:-4] - expected) / 0.08) ** 2
    chin = float(ys[4:-4][int(np.argmax(score))]) if len(score) > 8 else expected
    angle = np.linspace(0, 2 * np.pi, OVAL_POINTS, endpoint=False)
    centre = 0.35
    x = middle / 2 * (1 - np.cos(angle)) + 0.98 * np.sin(angle)
    y = np.where(np.cos(angle) > 0, centre - (centre + 0.75) * np.cos(angle), centre - (chin - centre) * np.cos(angle))
    return np.stack([x, y], -1)
