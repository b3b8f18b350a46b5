"""A pen on one small patch of the canvas: outlines in units of the sheet, edges smoothed to a sixteenth of a pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .palette import Colour

BITS = 4
Curve = NDArray[np.float64]
"""Numbers along a line, shape (n,), or its points, shape (n, 2), in units of the 512-unit sheet."""
Patch = NDArray[np.uint8]
"""A piece of the canvas, shape (h, w, 4), or a mask of it, shape (h, w)."""


class Pen:
    """Draws on the patch that lies between two corners of the sheet."""

    def __init__(self, cv2: Any, scale: float, corner: tuple[float, float], far: tuple[float, float]) -> None:
        """Take the canvas's pixels a unit and the patch's upper left and lower right corners, in units."""
        self._cv2, self.scale = cv2, scale
        self.left, self.top = int(corner[0] * scale), int(corner[1] * scale)
        self.width, self.height = int(far[0] * scale) - self.left, int(far[1] * scale) - self.top

    def of(self, canvas: Patch) -> Patch:
        """The patch's place on the canvas; writing to it writes to the canvas."""
        return canvas[self.top : self.top + self.height, self.left : self.left + self.width]

    def plain(self, colour: Colour) -> Patch:
        """A patch of one colour."""
        pixel = np.rint(_four(colour)).astype(np.uint8).view(np.uint32)
        return np.full((self.height, self.width), pixel[0]).view(np.uint8).reshape(self.height, self.width, 4)

    def mask(self) -> Patch:
        """An empty mask."""
        return np.zeros((self.height, self.width), np.uint8)

    def fill(self, patch: Patch, x: Curve, upper: Curve, lower: Curve, colour: Colour | float) -> None:
        """Fill between two curves over the same x, from where there first is something between to where it ends."""
        gap = np.flatnonzero(lower - upper > 0.02)
        if len(gap):
            part = slice(max(0, gap[0] - 1), gap[-1] + 2)
            sides = np.concatenate([x[part], x[part][::-1]])
            ends = np.concatenate([upper[part], np.maximum(upper, lower)[part][::-1]])
            self._cv2.fillPoly(patch, [self._fixed(sides, ends)], _four(colour), self._cv2.LINE_AA, BITS)

    def stroke(self, patch: Patch, x: Curve, y: Curve, thick: float, colour: Colour | float) -> None:
        """Draw a line of some thickness, in units, with round ends."""
        pixels = max(1, round(thick * self.scale))
        self._cv2.polylines(patch, [self._fixed(x, y)], False, _four(colour), pixels, self._cv2.LINE_AA, BITS)

    def soft(self, patch: Patch, radius: float) -> Patch:
        """Blur by a radius in units: two boxes, which look like a Gaussian and cost a tenth of one."""
        wide = 2 * round((math.sqrt(6 * (radius * self.scale) ** 2 + 1) - 1) / 2) + 1
        blurred: Patch = self._cv2.blur(self._cv2.blur(patch, (wide, wide)), (wide, wide))
        return blurred

    def lay(self, patch: Patch, top: Patch, mask: Patch, much: float = 1.0) -> Patch:
        """Return the patch with another laid over it through the mask."""
        over = mask.astype(np.float32)
        over *= much / 255
        mixed: Patch = self._cv2.blendLinear(top, patch, over, 1 - over)
        return mixed

    def _fixed(self, x: Curve, y: Curve) -> NDArray[np.int32]:
        at = (np.stack([x, y], 1) * self.scale - (self.left + 0.5, self.top + 0.5)) * (1 << BITS)
        return np.rint(at).astype(np.int32)


def _four(colour: Colour | float) -> tuple[float, ...]:
    return (*colour, 255.0) if isinstance(colour, tuple) else (colour,)
