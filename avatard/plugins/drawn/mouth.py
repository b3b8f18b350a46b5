"""The mouth: lips, teeth and tongue from how open, wide and round it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from avatard.face.shapes import MouthShape

from .palette import Palette, bgr, mix
from .pen import Curve, Patch, Pen
from .scene import MOUTH

T = np.linspace(-1, 1, 41)
"""Places along the lips, from corner to corner."""
ROOM = (82.0, 35.0, 78.0)
"""What the mouth may need: to each side of its middle, above and below."""
INSIDE, THROAT = bgr("7d2a3b"), bgr("451222")
TEETH, TEETH_SHADE = bgr("fffaf3"), bgr("e3d0cf")
TONGUE, TONGUE_LIGHT = bgr("e0707a"), bgr("f4a3a2")
SEAM = 1.1
"""Lips closer than this are shut: a line is drawn."""


@dataclass(frozen=True, slots=True)
class Lips:
    """The curves of one mouth, in units; each of shape (41,)."""

    x: Curve
    outer_x: Curve
    seam: Curve
    """Where the lips meet when shut."""
    upper: Curve
    """The upper lip's lower edge."""
    lower: Curve
    outer_upper: Curve
    outer_lower: Curve


def lips(shape: MouthShape, turn: tuple[float, float]) -> Lips:
    """Shape the lips; shut they smile."""
    opened, wide, pursed = shape.open, shape.wide, shape.round
    half = 47 * (1 + 0.56 * (wide - 0.5) * (1 - 0.35 * opened) - 0.48 * pursed - 0.02 * opened)
    smile = 12.5 * (1 - 0.95 * pursed) * (1 - 0.55 * opened) * (0.75 + 0.5 * wide)
    up, down = (12 + 13 * pursed) * opened**0.8, (46 - 12 * pursed) * opened**0.8
    cx, cy = MOUTH[0] + turn[0], MOUTH[1] + turn[1] - 3 * opened
    bend = 2.0 + 0.5 * opened * (1 - pursed)
    full = (1 - np.abs(T) ** bend) ** (0.62 - 0.1 * pursed)
    lip = (1 - np.abs(T) ** 2.2) ** 0.8
    thick_up, thick_low = 4.8 + 4.4 * pursed, 6.6 + 3.6 * pursed + 1.2 * opened
    seam = cy - smile * (T**2 - 0.4)
    cupid = 1.6 * np.exp(-((T / 0.15) ** 2)) * (1 - 0.5 * opened)
    return Lips(
        x=cx + half * T,
        outer_x=cx + (half + 3.4 + 3.6 * pursed) * T,
        seam=seam,
        upper=seam - up * full,
        lower=seam + down * full,
        outer_upper=seam - up * full**0.9 - thick_up * lip + cupid,
        outer_lower=seam + down * full**0.9 + thick_low * lip,
    )


class Mouth:
    """Draws the mouth on its patch."""

    def __init__(self, cv2: Any, scale: float, palette: Palette, base: Patch) -> None:
        """Prepare the patch of the bare face ``base`` and the colours."""
        self._cv2, self._scale = cv2, scale
        side, above, below = ROOM
        self._room = Pen(cv2, scale, (MOUTH[0] - side, MOUTH[1] - above), (MOUTH[0] + side, MOUTH[1] + below))
        self._bare = self._room.of(base).copy()
        self._upper = mix(palette.lips, palette.deep, 0.2)
        self._lower = palette.lips
        self._shine = mix(palette.lips, (255, 255, 255), 0.55)
        self._line = mix(palette.lips, bgr("5a1830"), 0.62)
        self._shade = mix(palette.shade, palette.deep, 0.35)

    def draw(self, canvas: Patch, shape: MouthShape, turn: tuple[float, float]) -> None:
        """Draw it into ``canvas``."""
        self._room.of(canvas)[:] = self._bare
        curves = lips(shape, turn)
        top = max(float(curves.outer_upper.min()) - 5, MOUTH[1] - ROOM[1])
        bottom = min(float(curves.outer_lower.max()) + 16, MOUTH[1] + ROOM[2])
        side = min(float(curves.outer_x[-1]) - MOUTH[0] - turn[0] + 8, ROOM[0] - abs(turn[0]))
        middle = MOUTH[0] + turn[0]
        pen = Pen(self._cv2, self._scale, (middle - side, top), (middle + side, bottom))
        patch = self._shaded(pen, pen.of(canvas), curves)
        patch = self._skin(pen, patch, curves)
        gap = float(np.max(curves.lower - curves.upper))
        if gap > SEAM:
            patch = self._inside(pen, patch, curves, gap, shape)
        else:
            pen.stroke(patch, curves.x, curves.seam, 2.4, self._line)
        pen.of(canvas)[:] = patch

    def _shaded(self, pen: Pen, patch: Patch, curves: Lips) -> Patch:
        """The shadow under the lower lip."""
        mask = pen.mask()
        pen.stroke(mask, curves.outer_x[9:32], curves.outer_lower[9:32] + 4, 4.5, 255)
        return pen.lay(patch, pen.plain(self._shade), pen.soft(mask, 3.2), 0.5)

    def _skin(self, pen: Pen, patch: Patch, curves: Lips) -> Patch:
        """The lips themselves."""
        colours, mask = pen.plain(self._lower), pen.mask()
        pen.fill(colours, curves.outer_x, curves.outer_upper - 6, (curves.upper + curves.lower) / 2, self._upper)
        shine = 0.45 * curves.lower + 0.55 * curves.outer_lower
        pen.stroke(colours, curves.outer_x[13:28], shine[13:28], 1.6, self._shine)
        pen.fill(mask, curves.outer_x, curves.outer_upper, curves.outer_lower, 255)
        return pen.lay(patch, pen.soft(colours, 1.1), pen.soft(mask, 0.6), 0.88)

    def _inside(self, pen: Pen, patch: Patch, curves: Lips, gap: float, shape: MouthShape) -> Patch:
        x, upper, lower = curves.x, curves.upper, curves.lower
        inner, mask = pen.plain(INSIDE), pen.mask()
        arch = np.sqrt(np.clip(1 - (T / 0.74) ** 2, 0, 1))
        pen.fill(inner, x, upper - 3, upper + gap * 0.78 * arch, THROAT)
        if gap > 9:
            hump = np.sqrt(np.clip(1 - (T / 0.72) ** 2, 0, 1))
            tongue = curves.lower[20] + 2 - (0.40 * gap + 2) * hump
            pen.fill(inner, x, tongue, lower + 3, TONGUE)
            pen.fill(inner, x, tongue + 0.07 * gap, tongue + 0.07 * gap + 0.16 * gap * (hump - 0.45), TONGUE_LIGHT)
        inner = pen.soft(inner, 1.5)
        tall = min(10.5, 0.56 * gap) * (0.85 + 0.3 * shape.teeth) * (1 - 0.9 * shape.round)
        bow = np.sqrt(np.clip(1 - np.abs(T / 0.87) ** 6, 0, 1))
        bared = min(1.0, max(0.0, 2.5 * shape.teeth - 1.2)) * min(6.5, 0.3 * gap) * (1 - 0.5 * shape.round)
        if bared > 1:
            row = np.sqrt(np.clip(1 - np.abs(T / 0.74) ** 4, 0, 1))
            pen.fill(inner, x, lower - bared * row, lower + 3 * row, TEETH_SHADE)
        pen.fill(inner, x, upper - 3 * bow, upper + tall * bow, TEETH)
        pen.fill(inner, x, upper - 3 * bow, upper + 0.25 * tall * bow, TEETH_SHADE)
        pen.fill(mask, x, upper, lower, 255)
        return pen.lay(patch, inner, mask)
