"""A face turned upright, so that its features are looked for where they are on average."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Pixels
from avatard.face.bundle import Box
from avatard.face.fit import Floats, Numbers
from avatard.face.landmarks import Points

UNIT = 64.0
"""Pixels between the eyes in the patches that are looked at."""


class Upright:
    """The face upright: its eyes at (-0.5, 0) and (0.5, 0), y downwards."""

    def __init__(self, cv2: Any, picture: Pixels, pair: Points) -> None:
        """Take the picture and its two pupils, (2, 2)."""
        self._cv2, self._picture = cv2, picture
        across = pair[1] - pair[0]
        self._turn = np.array([[across[0], -across[1]], [across[1], across[0]]], np.float64)
        self._middle = pair.mean(0).astype(np.float64)

    def back(self, points: NDArray[Any]) -> Points:
        """From the upright face to the picture."""
        return np.asarray(points @ self._turn.T + self._middle, np.float32)

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
