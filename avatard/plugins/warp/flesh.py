"""Lips, cheeks, jaw and chin: where in the photograph each pixel around the mouth comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Pixels

from .anatomy import Anatomy, Curve, Opening, T, fall

Field = NDArray[np.float32]
"""A number for each pixel of the patch."""

FINE = 4
"""Places in a table of the mouth's width, for each pixel."""
SIDE, ABOVE, BELOW = 1.15, 0.42, 0.55
"""How far the patch reaches: to each side of the mouth's middle, above it, and below the chin; units."""
NOSE, SPREAD = 0.34, 0.95
"""What the lips move ends so far above them, and to each side; units."""
CHEEK = 0.5
"""Over so much of a unit the lower lip's motion becomes the jaw's."""
MARGIN = 0.018
"""The lips' inner edges are taken so much further out: what lies on the line is half tooth; units."""


class Flesh:
    """The patch of the picture that moves with the mouth."""

    def __init__(self, cv2: Any, size: int, anatomy: Anatomy) -> None:
        """Measure out the patch.

        Args:
            cv2: the library.
            size: the picture's side, pixels.
            anatomy: the mouth in it.
        """
        self._cv2, self._anatomy = cv2, anatomy
        unit = anatomy.unit
        x, y = anatomy.middle
        self.left, self.right = max(0, int(x - SIDE * unit)), min(size, int(x + SIDE * unit) + 1)
        self.top = max(0, int(y - ABOVE * unit))
        self.bottom = min(size, int(y + anatomy.chin + BELOW * unit) + 1)
        self._px, self._py = np.meshgrid(
            np.arange(self.left, self.right, dtype=np.float32), np.arange(self.top, self.bottom, dtype=np.float32)
        )
        dx, dy = self._px - np.float32(x), self._py - np.float32(y)
        self.x: Field = dx * anatomy.cos + dy * anatomy.sin
        self.y: Field = dy * anatomy.cos - dx * anatomy.sin
        self._start = float(self.x.min()) - 1
        count = int((float(self.x.max()) + 2 - self._start) * FINE)
        self._places: Curve = (self._start + np.arange(count, dtype=np.float32) / FINE).astype(np.float32)
        self._column = ((self.x - self._start) * FINE + 0.5).astype(np.int32)
        self._near = fall(np.where(self.y < 0, -self.y / (ABOVE * 0.95), self.y / 0.75) / unit)
        self._jaw = fall(np.abs(self.x) / (SPREAD * unit))
        self._neck = fall((self.y - anatomy.chin) / (BELOW * 0.92 * unit))

    def table(self, half: float, curve: Curve) -> Curve:
        """A lip's edge over the whole patch's width; flat beyond the corners."""
        return np.interp(self._places, T * np.float32(half), curve).astype(np.float32)

    def spread(self, table: Curve) -> Field:
        """A table's value for each pixel."""
        return table[self._column]

    def edges(self, mouth: Opening) -> tuple[Field, Field]:
        """The two inner edges for each pixel, as y."""
        return self.spread(self.table(mouth.half, mouth.upper)), self.spread(self.table(mouth.half, mouth.lower))

    def warp(self, picture: Pixels, mouth: Opening, upper: Field, lower: Field) -> Pixels:
        """The patch with the mouth as it must be, but for what is seen between the lips."""
        own, unit = self._anatomy, np.float32(self._anatomy.unit)
        # Across: within the corners as they are, beyond them less and less.
        at, half = self._places, np.float32(mouth.half)
        inner = at * np.float32(1 - own.half / mouth.half)
        beyond = (np.abs(at) - half) / np.float32(0.55 * unit)
        push = np.where(beyond < 0, inner, np.sign(at) * np.float32(mouth.half - own.half) * fall(beyond))
        across = self.spread(push) * self._near
        # Up and down: each lip brings its own edge to where it must be.
        source = at - push
        margin = np.float32(MARGIN * mouth.share) * unit * self.spread(np.clip(1 - (at / half) ** 4, 0, 1))
        aside = self.spread(fall(beyond))
        top = self.spread(np.interp(source, T * own.half, own.edges[1]).astype(np.float32)) - margin
        low = self.spread(np.interp(source, T * own.half, own.edges[2]).astype(np.float32)) + margin
        over, under = upper - self.y, self.y - lower
        fade = fall(over / (NOSE * unit))
        thick_up = self._swell(over, mouth.full, 0.10 * unit)
        above = (top - upper + thick_up) * fade * aside
        ramp = 1 - fall(under / (CHEEK * unit))
        lip = (low - lower - self._swell(under, mouth.full, 0.13 * unit)) * aside
        jaw = np.float32(-0.86 * mouth.drop) * self._jaw
        below = (lip + (jaw - lip) * ramp) * self._neck
        down = np.where(over > under, above, below)
        cos, sin = np.float32(own.cos), np.float32(own.sin)
        map_x = self._px - across * cos - down * sin
        map_y = self._py - across * sin + down * cos
        seen = self._cv2.remap(
            picture, map_x, map_y, self._cv2.INTER_CUBIC, borderMode=self._cv2.BORDER_REPLICATE
        )
        return np.asarray(seen, np.uint8)

    def _swell(self, away: Field, full: float, thick: float) -> Field:
        """How far the skin beyond a lip is pushed when the lip is fuller; ``away`` from its inner edge."""
        inside = np.clip(away / np.float32(thick * (1 + full)), 0, 1)
        return inside * np.float32(full * thick)
