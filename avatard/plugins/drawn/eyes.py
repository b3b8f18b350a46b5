"""The eyes with their lids, and the brows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .eyeball import HIGH, WIDE, Eyeball
from .motion import Pose
from .palette import Palette, mix
from .pen import Patch, Pen
from .scene import EYES

T = np.linspace(-1, 1, 33)
ARC = np.sqrt(1 - np.abs(T) ** 2.3)
BROW = 76.0
"""How far above the eye's middle the brow is."""


class Eyes:
    """Draws both eyes, each on its patch, and the brows."""

    def __init__(self, cv2: Any, scale: float, palette: Palette, base: Patch) -> None:
        """Prepare the patches of the bare face ``base`` and the colours."""
        self._pens = [Pen(cv2, scale, (x - 50, y - 52), (x + 50, y + 48)) for x, y in EYES]
        self._brow_pens = [Pen(cv2, scale, (x - 40, y - 102), (x + 40, y - 56)) for x, y in EYES]
        self._bare, self._bare_brow = ([pen.of(base).copy() for pen in pens] for pens in (self._pens, self._brow_pens))
        self._lash = mix(palette.deep, (40, 20, 30), 0.55)
        self._brow = mix(palette.shade, palette.deep, 0.62)
        self._balls = [Eyeball(cv2, scale, palette, side) for side in (0, 1)]

    def draw(self, canvas: Patch, pose: Pose, lift: float, squint: float) -> None:
        """Draw them into ``canvas``; ``squint`` raises the lower lids, ``lift`` the brows."""
        for side in (0, 1):
            cx, cy = EYES[side][0] + pose.turn[0], EYES[side][1] + pose.turn[1]
            self._eye(canvas, pose, (cx, cy), side, 0.04 * lift, squint)
            self._draw_brow(canvas, cx, cy - BROW - 8 * lift + 3.5 * pose.lids, side, lift)

    def _eye(
        self, canvas: Patch, pose: Pose, at: tuple[float, float], side: int, wider: float, squint: float
    ) -> None:
        pen, lids = self._pens[side], pose.lids
        x, shut = at[0] + WIDE * T, at[1] + 10 + 13 * ARC
        upper, lower = at[1] - HIGH * ARC * (1 + wider), at[1] + HIGH * ARC
        upper = upper + (shut - upper) * min(1.0, 0.06 * squint + lids)
        lower = lower + (shut - lower) * min(1.0, 0.16 * squint + 0.9 * lids)
        patch = self._bare[side].copy()
        if lids < 0.97:
            mask = pen.mask()
            pen.fill(mask, x, upper, lower, 255)
            patch = pen.lay(patch, self._balls[side].look(pen, at, pose.gaze), mask)
        # Down the steep sides of the eye the lashes would be a hair: they end before.
        part, end = slice(1, -1), np.abs(T[1:-1] / T[-2])
        inner = (T if side == 0 else -T)[part]
        thick = (3.0 + 0.9 * (1 - inner) + 0.4 * lids) * (1 - end**4)
        edge = upper[part]
        pen.fill(patch, x[part], edge - thick, edge + 0.9 * (1 - end**6), self._lash)
        pen.of(canvas)[:] = patch

    def _draw_brow(self, canvas: Patch, cx: float, cy: float, side: int, lift: float) -> None:
        pen, out = self._brow_pens[side], -T if side == 0 else T
        patch = self._bare_brow[side].copy()
        middle = cy + 7.5 * T**2 + (3.0 - 1.0 * lift) * out
        half = 4.1 * (1 - np.abs(T) ** 3.5) ** 0.5 * (1 - 0.22 * out)
        pen.fill(patch, cx + (2 if side else -2) + 25 * T, middle - half, middle + half, self._brow)
        pen.of(canvas)[:] = patch
