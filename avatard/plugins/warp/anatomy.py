"""The mouth in the photograph, and the mouth that a sound needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.face.landmarks import LIP_POINTS, Landmarks
from avatard.face.shapes import MouthShape

Curve = NDArray[np.float32]
"""One number for each of the places ``T``."""

T = np.linspace(-1, 1, LIP_POINTS).astype(np.float32)
"""Places along the mouth, from corner to corner."""
NEUTRAL = 0.415
"""Half a resting mouth's width, in units."""
WIDEST = 0.29
"""The gap between the lips of the widest "ah", in units."""
BARED = 0.055
"""How much further the lips part to show teeth that meet, as in "sss", in units."""
BELOW = 0.60
"""Where within the photograph's gap the lips meet when they shut."""


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """The photograph's mouth, upright about its own middle: x along its corners, y down, pixels."""

    middle: tuple[float, float]
    """The point between the corners, in the picture."""
    cos: float
    sin: float
    """Of the angle by which the mouth is turned, clockwise."""
    unit: float
    """Pixels between the eyes: what every other length is measured in."""
    half: float
    """Half the mouth's width, pixels."""
    edges: NDArray[np.float32]
    """(4, 21): the lips' edges, as in ``Landmarks.lips``."""
    chin: float
    """From the middle down to the chin, pixels."""

    @classmethod
    def of(cls, marks: Landmarks) -> Anatomy:
        """Measure a face."""
        corners = marks.lips[:, [0, -1]].mean(0)
        along = corners[1] - corners[0]
        half = float(np.hypot(*along)) / 2
        cos, sin = (float(v) / (2 * half) for v in along)
        middle = corners.mean(0)
        turned = (marks.lips - middle) @ np.array([[cos, -sin], [sin, cos]], np.float32)
        edges = np.stack([np.interp(T * half, line[:, 0], line[:, 1]) for line in turned]).astype(np.float32)
        # Corners are points: whatever the fit left open between the edges there is closed.
        edges[:, [0, -1]] = 0
        pupils = marks.eyes.mean((1, 2))
        chin = float((marks.chin - middle) @ np.array([-sin, cos]))
        return cls((float(middle[0]), float(middle[1])), cos, sin, float(np.hypot(*(pupils[1] - pupils[0]))), half,
                   edges, max(chin, half))  # fmt: skip

    @property
    def gap(self) -> float:
        """The gap between the photograph's lips at its widest, pixels."""
        return float((self.edges[2] - self.edges[1]).max())


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """The mouth as it must be."""

    half: float
    """Half its width, pixels."""
    upper: Curve
    """The upper lip's lower edge."""
    lower: Curve
    """The lower lip's upper edge."""
    drop: float
    """How far the jaw has dropped from where the lips meet, pixels."""
    full: float
    """How much thicker (above 0) or thinner the lips are, in shares of themselves."""
    share: float
    """0 the photograph - 1 speech."""
    gap: float
    """At its widest, pixels."""
    wide: float
    round: float
    """As in the shape, 0-1."""
    teeth: float
    """How far the lips bare the teeth, which meet, 0-1."""


def opening(anatomy: Anatomy, shape: MouthShape, share: float) -> Opening:
    """The mouth for a shape; ``share`` leads from the photograph's own (0) to that of speech (1)."""
    unit, edges = anatomy.unit, anatomy.edges
    opened, wide, pursed = shape.open, shape.wide, shape.round
    stretch = 0.24 * (wide - 0.5) * (1 - 0.4 * opened) - 0.38 * pursed - 0.10 * opened
    resting = 0.6 * anatomy.half + 0.4 * NEUTRAL * unit
    half = resting * (1 + stretch)
    seam = edges[1] + BELOW * (edges[2] - edges[1])
    gap = WIDEST * unit * opened**0.9 * (1 + 0.1 * pursed * (1 - opened))
    # Lips that touch hide the teeth, and a jaw that drops parts them.
    teeth = shape.teeth * min(1.0, opened / 0.08) * max(0.0, 1 - opened / 0.5) * (1 - 0.5 * pursed)
    gap += BARED * unit * teeth
    # A smile's corners come down in speech, and further with the jaw.
    hang = float(seam[LIP_POINTS // 2])
    keep = max(0.1, 0.66 - 0.45 * pursed - 0.3 * opened * (1 - wide))
    seam = seam * keep + (0.9 - keep) * hang + (0.20 - 0.08 * pursed) * gap * T**2 + 0.04 * unit * pursed
    # Pursed lips stay together at their sides.
    apart = np.abs(T) / (1 - 0.14 * pursed)
    bow = np.clip(1 - apart ** (2.0 + 0.5 * opened + 0.5 * pursed), 0, 1) ** (0.72 - 0.16 * max(pursed, opened))
    up = 0.20 + 0.08 * (wide - 0.5) - 0.06 * pursed + 0.15 * teeth
    upper, lower = seam - up * gap * bow, seam + (1 - up) * gap * bow

    def lead(own: Curve, spoken: Curve) -> Curve:
        return np.asarray(own + (spoken - own) * np.float32(share), np.float32)

    top, bottom = lead(edges[1], upper), lead(edges[2], lower)
    middle = LIP_POINTS // 2
    return Opening(
        half=anatomy.half + (half - anatomy.half) * share, upper=top, lower=bottom,
        drop=float(bottom[middle] - edges[2][middle]),
        full=share * (0.30 * pursed - 0.10 * (wide - 0.5)), share=share,
        gap=float((bottom - top).max()), wide=wide, round=pursed,
        teeth=share * teeth,
    )  # fmt: skip


def fall(value: NDArray[Any]) -> NDArray[np.float32]:
    """1 below 0, 0 above 1, smooth between."""
    value = np.clip(1 - value, 0, 1)
    return np.asarray(value * value * (3 - 2 * value), np.float32)
