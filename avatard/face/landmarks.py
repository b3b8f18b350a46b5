"""Where a face's features are in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
"""Places in a picture, (…, 2): pixels from the left and from the top, the first pixel's middle at 0."""

LIP_POINTS, LID_POINTS, OVAL_POINTS = 21, 11, 32
"""Points along each lip's edge, each lid, and around the face."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """One face's features. Left is the picture's left."""

    lips: Points
    """(4, 21, 2): the upper lip's upper edge, its lower edge, the lower lip's upper edge, its lower edge; each from the
    left corner to the right. Of shut lips the two inner edges are the same line."""
    eyes: Points
    """(2, 2, 11, 2): left and right eye; upper and lower lid; each from the left corner to the right."""
    oval: Points
    """(32, 2): around the face, clockwise from the middle of the forehead; point 16 is the chin."""

    @property
    def chin(self) -> Points:
        """The chin's lowest point, (2,)."""
        chin: Points = self.oval[OVAL_POINTS // 2]
        return chin

    def moved(self, scale: float, shift: tuple[float, float]) -> Landmarks:
        """Scale about the picture's corner, then shift right and down; pixel areas scale, not pixel middles."""
        by = np.array(shift, np.float32) + np.float32((scale - 1) / 2)
        return Landmarks(*((points * np.float32(scale) + by) for points in (self.lips, self.eyes, self.oval)))
