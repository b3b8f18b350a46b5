"""What goes into a lip-sync network and how what comes out of it is laid upon the picture, without a seam.

Only the lower half is laid, through a feathered mask; before, its colours are drawn to those of the picture around it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Pixels
from avatard.face.bundle import Box

Floats = NDArray[np.float32]

PADS = (0, 10, 0, 0)
"""Pixels added to a box above, below, left and right, as the networks were trained with."""
FADE = 4
"""Pictures that the generated mouth takes to come and to go."""
COARSE = 24
"""Side of the small picture in which colours are compared."""
TOP, FULL, SIDE, BOTTOM = 0.47, 0.62, 0.16, 0.12
"""The mask, in shares of the region: it begins here, is whole from here, and fades along the sides and the bottom."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture, pixels; right and bottom are just outside."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, box: Box, frame: Pixels, pads: tuple[int, int, int, int] = PADS) -> Region:
        """The box with its pads, within the picture."""
        height, width = frame.shape[:2]
        above, below, left, right = pads
        x, y, w, h = box
        return cls(max(0, x - left), max(0, y - above), min(width, x + w + right), min(height, y + h + below))

    @property
    def width(self) -> int:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels."""
        return self.bottom - self.top

    def of(self, frame: Pixels) -> Pixels:
        """This part of the picture, not a copy."""
        return frame[self.top : self.bottom, self.left : self.right]


def crop(frame: Pixels, region: Region, size: int = 96) -> Pixels:
    """The region at the network's size, shape (size, size, 3)."""
    import cv2

    return np.asarray(cv2.resize(region.of(frame), (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def paste(frame: Pixels, generated: Pixels, region: Region, share: float = 1.0) -> Pixels:
    """Lay the lower half of what was generated upon the picture; returns a new picture.

    Args:
        frame: the whole picture.
        generated: the region as generated, of any size; its upper half is not looked at.
        region: where it belongs.
        share: how much of it is seen, 0-1; less than 1 while it comes and goes.
    """
    result = frame.copy()
    if share <= 0:
        return result
    import cv2

    place = region.of(result)
    half = region.height // 3
    fine = np.asarray(
        cv2.resize(generated, (region.width, region.height), interpolation=cv2.INTER_LINEAR), np.float32
    )[half:]
    offset = _offset(place, generated)
    fine += cv2.resize(offset, (region.width, region.height), interpolation=cv2.INTER_LINEAR)[half:]
    below = place[half:]
    weight = mask(region.width, region.height)[half:] * np.float32(min(1.0, share))
    mixed = below + (fine - below) * weight
    place[half:] = np.clip(mixed + 0.5, 0, 255)
    return result


@lru_cache(32)
def mask(width: int, height: int) -> Floats:
    """How much of the generated picture is seen, 0-1, shape (height, width, 1); zero along every edge."""
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    across = _ease((x - 0.02) / SIDE) * _ease((0.98 - x) / SIDE)
    down = _ease((y - TOP) / (FULL - TOP)) * _ease((0.985 - y) / BOTTOM)
    values = (down[:, None] * across[None, :]).astype(np.float32)[..., None]
    values.setflags(write=False)
    return values


@lru_cache(1)
def _border() -> Floats:
    """Where the coarse pictures are compared: on the slope of the mask, not where the mouth is."""
    weight = mask(COARSE, COARSE)
    slope = weight * (1 - weight) * 4
    return np.asarray(slope, np.float32)


def _offset(place: Pixels, generated: Pixels) -> Floats:
    """What must be added to the generated colours so that they meet the picture's where the mask ends.

    The differences along the border spread inwards, the nearer the more: a membrane, at a coarse scale.
    """
    import cv2

    small = (COARSE, COARSE)
    wanted = cv2.resize(place, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    given = cv2.resize(generated, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    border = _border()
    spread = np.zeros((COARSE, COARSE, 3), np.float32)
    total = np.full((COARSE, COARSE, 1), 1e-6, np.float32)
    # Near differences count most; far ones fill what lies deep inside.
    for reach, weight in ((1.2, 1.0), (3.0, 0.05), (8.0, 0.001)):
        spread += weight * cv2.GaussianBlur((wanted - given) * border, (0, 0), reach)
        total[..., 0] += weight * cv2.GaussianBlur(border, (0, 0), reach)
    return spread / total


class Fade:
    """How much of the generated mouth is seen, from one picture to the next."""

    def __init__(self, frames: int = FADE) -> None:
        """Nothing is seen yet.

        Args:
            frames: pictures from nothing to all.
        """
        self._step, self._at = 1 / frames, 0.0

    def step(self, speaks: bool) -> float:
        """Go one picture towards all (it speaks) or nothing (it is silent); return the share, 0-1."""
        self._at = min(1.0, max(0.0, self._at + (self._step if speaks else -self._step)))
        return 0.5 - 0.5 * math.cos(math.pi * self._at)


def _ease(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, smooth between."""
    value = np.clip(value, 0, 1)
    return value * value * (3 - 2 * value)
