"""A head to measure on where the user names no face: a bundle with a picture drawn on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Pixels
from avatard.face.bundle import save
from avatard.face.landmarks import LID_POINTS, LIP_POINTS, OVAL_POINTS, Landmarks, Points

SIDE = 512
"""Pixels."""
MIDDLE, RADII = (256.0, 262.0), (128.0, 172.0)
"""Of the head."""
EYES, EYE = ((206.0, 226.0), (306.0, 226.0)), (26.0, 9.0)
MOUTH, LIPS = (256.0, 350.0), (46.0, (-13.0, -1.0, 1.0, 17.0))
"""The mouth's middle; half its width, and each lip's edge below the middle."""
SKIN, WALL, LIP, IRIS = (132, 164, 208), (96, 84, 72), (92, 92, 172), (52, 44, 40)
"""BGR."""


def write_head(path: Path) -> Path:
    """Write the bundle.

    Raises:
        ConfigError: it cannot be written there.
    """
    marks = landmarks()
    left, top = (round(m - r) for m, r in zip(MIDDLE, RADII, strict=True))
    box = (left, top + 60, round(2 * RADII[0]), round(2 * RADII[1]) - 60)
    save(path, [picture(marks)], [box], [marks])
    return path


def landmarks() -> Landmarks:
    """Where its features are."""
    along = np.linspace(-1, 1, LIP_POINTS)
    bow = np.sqrt(1 - along**2)
    lips = [_line(MOUTH, LIPS[0] * along, down * bow) for down in LIPS[1]]
    across = np.linspace(-1, 1, LID_POINTS)
    lid = np.sqrt(1 - across**2)
    eyes = [[_line(eye, EYE[0] * across, sign * EYE[1] * lid) for sign in (-1, 1)] for eye in EYES]
    turn = np.arange(OVAL_POINTS) * 2 * np.pi / OVAL_POINTS
    oval = _line(MIDDLE, RADII[0] * np.sin(turn), -RADII[1] * np.cos(turn))
    return Landmarks(np.stack(lips), np.array(eyes, np.float32), oval)


def picture(marks: Landmarks) -> Pixels:
    """Draw it: shaded skin, so that every picture taken from it is its own."""
    import cv2

    canvas = np.full((SIDE, SIDE, 3), WALL, np.uint8)
    cv2.fillPoly(canvas, [_whole(marks.oval)], SKIN, cv2.LINE_AA)
    for upper, lower in marks.eyes:
        cv2.fillPoly(canvas, [_whole(np.concatenate([upper, lower[::-1]]))], (240, 240, 240), cv2.LINE_AA)
    for eye in EYES:
        cv2.circle(canvas, (round(eye[0]), round(eye[1])), round(EYE[1]), IRIS, -1, cv2.LINE_AA)
    cv2.fillPoly(canvas, [_whole(np.concatenate([marks.lips[0], marks.lips[3][::-1]]))], LIP, cv2.LINE_AA)
    light = 1.08 - 0.16 * np.linspace(0, 1, SIDE)[None, :, None] - 0.1 * np.linspace(0, 1, SIDE)[:, None, None]
    return np.clip(cv2.GaussianBlur(canvas, (0, 0), 1.2) * light, 0, 255).astype(np.uint8)


def _line(middle: tuple[float, float], x: NDArray[np.float64], y: NDArray[np.float64]) -> Points:
    return np.stack([middle[0] + x, middle[1] + y], -1).astype(np.float32)


def _whole(points: Points) -> NDArray[np.int32]:
    return np.round(points).astype(np.int32)
