"""Blinking: the upper lid's skin is drawn down over the eye."""

from __future__ import annotations

from typing import Any

import numpy as np

from avatard.api.flow import Pixels
from avatard.face.landmarks import Points

from .anatomy import fall

SIDE, ABOVE, BELOW = 0.36, 0.30, 0.16
"""How far the skin about an eye moves: to each side, up to the brow, and below; units."""


class Lid:
    """One eye."""

    def __init__(self, cv2: Any, size: int, eye: Points, unit: float) -> None:
        """Measure it.

        Args:
            cv2: the library.
            size: the picture's side, pixels.
            eye: its lids, (2, 11, 2).
            unit: pixels between the eyes.
        """
        self._cv2, self._unit = cv2, np.float32(unit)
        corners = eye[:, [0, -1]].mean(0)
        along = (corners[1] - corners[0]) / np.hypot(*(corners[1] - corners[0]))
        self._cos, self._sin = float(along[0]), float(along[1])
        x, y = (float(v) for v in corners.mean(0))
        left, right = max(0, int(x - SIDE * unit)), min(size, int(x + SIDE * unit) + 1)
        top, bottom = max(0, int(y - ABOVE * unit)), min(size, int(y + BELOW * unit) + 1)
        self._at = np.s_[top:bottom, left:right]
        grid = np.meshgrid(np.arange(left, right, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
        self._px, self._py = grid
        dx, dy = grid[0] - np.float32(x), grid[1] - np.float32(y)
        across, down = dx * self._cos + dy * self._sin, dy * self._cos - dx * self._sin
        turn = np.array([[self._cos, -self._sin], [self._sin, self._cos]], np.float32)
        upper, lower = ((line - (x, y)) @ turn for line in eye)
        self._y = down
        self._upper = np.interp(across, upper[:, 0], upper[:, 1]).astype(np.float32)
        self._lower = np.interp(across, lower[:, 0], lower[:, 1]).astype(np.float32)
        half = float(np.abs(upper[:, 0]).max())
        self._aside = fall((np.abs(across) - half) / np.float32(max(1.0, SIDE * unit - half)))

    def close(self, picture: Pixels, shut: float) -> None:
        """Draw the lid over the eye in the picture, 0 as it is - 1 shut."""
        unit = self._unit
        gap = np.clip(self._lower - self._upper, 0, None)
        edge = self._upper + np.float32(1.1 * shut) * gap
        over = edge - self._y
        drawn = (edge - self._upper) * fall((over - 0.02 * unit) / (0.26 * unit)) * self._aside
        skin = np.clip(over + 0.5, 0, 1)
        down = -drawn
        seen = self._cv2.remap(
            picture, self._px - down * self._sin, self._py + down * self._cos, self._cv2.INTER_LINEAR,
            borderMode=self._cv2.BORDER_REPLICATE,
        ).astype(np.float32)  # fmt: skip
        place = picture[self._at].astype(np.float32)
        # Lashes meet in a line; without one a shut eye is a blank.
        lash = np.exp(-(((over - 0.006 * unit) / (0.016 * unit)) ** 2)) * np.clip(gap / (0.03 * unit), 0, 1)
        seen *= (1 - np.float32(0.55 * shut) * lash)[..., None]
        picture[self._at] = np.clip(place + (seen - place) * skin[..., None] + 0.5, 0, 255)
