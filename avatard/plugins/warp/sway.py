"""The head moves by a hair against the picture, which stays where it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Pixels
from avatard.face.landmarks import Landmarks

from .anatomy import fall
from .motion import Pose

STEP = 8
"""Pixels between two knots of the coarse field."""


class Sway:
    """Moves the finished picture's head."""

    def __init__(self, cv2: Any, size: int, marks: Landmarks) -> None:
        """Find what belongs to the head."""
        self._cv2, self._size = cv2, size
        # A knot more all around, so that the field made fine holds up to the picture's edge.
        knots = size // STEP + 2
        places = (np.arange(knots, dtype=np.float32) - 0.5) * STEP - 0.5
        x, y = np.meshgrid(places, places)
        left, top = marks.oval.min(0)
        right, bottom = marks.oval.max(0)
        middle, half = (left + right) / 2, (right - left) / 2
        centre, high = (top + bottom) / 2, (bottom - top) / 2
        around = np.hypot((x - middle) / half, (y - centre) / high)
        self._grid: NDArray[np.float32] = np.stack([x, y], -1)
        edge = fall(1 - np.minimum.reduce([x, y, size - 1 - x, size - 1 - y]) / np.float32(0.12 * size))
        self._head = (fall((around - 1.15) / np.float32(1.1)) * edge)[..., None]
        nose = np.hypot((x - middle) / (0.85 * half), (y - centre - 0.15 * high) / (0.85 * high))
        self._middle = (fall(nose) * edge)[..., None]
        brows = marks.eyes[:, 0].mean(1) - np.array([0, 0.22 * half], np.float32)
        lift = sum(np.exp(-(((x - bx) / (0.45 * half)) ** 2) - ((y - by) / (0.22 * half)) ** 2) for bx, by in brows)
        self._brows = np.asarray(lift, np.float32)
        self._arm = np.stack([bottom - y, x - middle], -1).astype(np.float32)

    def move(self, picture: Pixels, pose: Pose, lift: float) -> Pixels:
        """The picture with the head where the pose puts it; ``lift`` (0-1) raises the brows and nods."""
        unit = self._size / 1000
        shift = np.array([pose.shift[0], pose.shift[1] + 3.0 * lift], np.float32) * np.float32(unit)
        turn = np.array([pose.turn[0], pose.turn[1] + 1.5 * lift], np.float32) * np.float32(unit)
        field = self._head * (shift + np.float32(pose.tilt) * self._arm) + self._middle * turn
        field[..., 1] -= np.float32(4.0 * unit * lift) * self._brows
        if not np.abs(field).max() > 0.01:
            return picture
        side = self._size + 2 * STEP
        fine = self._cv2.resize(self._grid - field, (side, side), interpolation=self._cv2.INTER_LINEAR)
        seen = self._cv2.remap(
            picture, fine[STEP:-STEP, STEP:-STEP], None, self._cv2.INTER_LINEAR, borderMode=self._cv2.BORDER_REPLICATE
        )
        return np.asarray(seen, np.uint8)
