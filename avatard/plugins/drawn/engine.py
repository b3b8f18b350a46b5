"""The painter: one picture at a time, on the thread that owns it."""

from __future__ import annotations

import math
from typing import cast

import cv2
import numpy as np

from avatard.api.flow import Pixels
from avatard.face.shapes import REST, MouthShape

from .eyes import Eyes
from .leaves import Leaves
from .motion import Life, Pose
from .mouth import Mouth
from .palette import PALETTES
from .pen import Patch
from .scene import OVER, SHEET, paint

PIVOT = (256.0, 420.0)
"""The head tilts about this point of the sheet."""


class Painter:
    """Draws the face; the picture depends on nothing but what is passed in, so that answers may share it."""

    def __init__(self, palette: str, size: int, seed: int) -> None:
        """Paint what does not move.

        Args:
            palette: one of ``PALETTES``.
            size: pixels a side.
            seed: of the blinks and glances.
        """
        self._size, self._seed = size, seed
        self._scale = size * OVER / SHEET
        self._life = Life(seed)
        self._palette = ""
        self.wear(palette)

    def wear(self, palette: str) -> None:
        """Paint what does not move in these colours, unless it has them already."""
        if palette == self._palette:
            return
        self._palette = palette
        self._canvas: Patch = paint(cv2, PALETTES[palette], self._size)
        self._eyes = Eyes(cv2, self._scale, PALETTES[palette], self._canvas)
        self._mouth = Mouth(cv2, self._scale, PALETTES[palette], self._canvas)
        self._leaves = Leaves(cv2, self._scale, self._canvas)

    def talk(self, index: int, shape: MouthShape, lift: float, share: float = 1.0) -> Pixels:
        """Draw picture ``index`` of the face's life with this mouth.

        Args:
            index: where in its life the face is.
            shape: the mouth.
            lift: 0-1, raises the brows and nods.
            share: how much of its motion shows: 0 is the first picture of ``rest``.
        """
        return self._draw(self._life.pose(index).part(share), shape, lift * share)

    def rest(self, index: int, length: int) -> Pixels:
        """Draw picture ``index`` of a silent loop of ``length`` pictures."""
        return self._draw(Life(self._seed, length).pose(index), REST, 0.0)

    def portrait(self, palette: str, size: int) -> Pixels:
        """Draw the face at rest in other colours, ``size`` pixels a side."""
        return Painter(palette, size, self._seed).rest(0, 1)

    def _draw(self, pose: Pose, shape: MouthShape, lift: float) -> Pixels:
        squint = 0.25 + 0.5 * shape.open
        self._eyes.draw(self._canvas, pose, lift, squint)
        self._mouth.draw(self._canvas, shape, pose.turn)
        self._leaves.draw(self._canvas, pose.sway + 1.5 * lift)
        return self._shot(pose, lift)

    def _shot(self, pose: Pose, lift: float) -> Pixels:
        """Look at the canvas from where the pose puts it, at half its size.

        The wall moves along with the head: it has nothing on it by which to tell.
        """
        unit = self._size / SHEET
        cos, sin = math.cos(pose.tilt), math.sin(pose.tilt)
        px, py = PIVOT[0] * unit - 0.5, PIVOT[1] * unit - 0.5
        sx, sy = pose.shift[0] * unit, (pose.shift[1] - 2.0 * lift) * unit
        turn = np.array([[cos, sin], [-sin, cos]]) * OVER
        home = (np.array([px, py]) + 0.5) * OVER - 0.5
        offset = home - turn @ np.array([px + sx, py + sy])
        matrix = np.concatenate([turn, offset[:, None]], 1)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(
            self._canvas, matrix, (self._size, self._size), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return cast("Pixels", cv2.cvtColor(seen, cv2.COLOR_BGRA2BGR))
