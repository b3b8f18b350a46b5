"""What does not move by itself: the wall, the head and its leaves, painted once at twice the picture's size.

Everything is placed on a sheet of 512 x 512 units whatever the picture's size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .palette import Colour, Palette, mix

SHEET = 512.0
OVER = 2
"""The canvas is this much larger than the picture: that is what smooths every edge."""

HEAD = (256.0, 276.0, 170.0, 156.0)
"""Centre and half axes of the head."""
ROUNDNESS = 2.45
"""2 would be an ellipse."""
EYES = ((190.0, 262.0), (322.0, 262.0))
MOUTH = (256.0, 345.0)
LEAVES = (176.0, 26.0, 352.0, 152.0)
"""Left, top, right and bottom of what sways on top of the head."""

Layer = NDArray[np.float32]


def paint(cv2: Any, palette: Palette, size: int) -> NDArray[np.uint8]:
    """Return the canvas, shape (2 size, 2 size, 4), BGR and an unused fourth (four are faster than three).

    What is soft is painted at the picture's size and enlarged; only edges are worked out at the canvas's.
    """
    side = size * OVER
    x, y = _axes(size)
    wall, skin = _wall(palette, x, y), _skin(palette, x, y)
    _shadow(wall, palette, x, y)
    picture: Layer = cv2.resize(wall, (side, side), interpolation=cv2.INTER_LINEAR)
    skin = cv2.resize(skin, (side, side), interpolation=cv2.INTER_LINEAR)
    x, y = _axes(side)
    step = SHEET / side
    left, top, right, bottom = (round(edge / step) for edge in LEAVES)
    _leaves(picture[top:bottom, left:right], palette, x[:, left:right], y[top:bottom], step)
    edge = (_radius(x, y)[2] - 1) * HEAD[3]
    picture += (skin - picture) * np.clip(0.5 - edge / step, 0, 1)[..., None]
    canvas: NDArray[np.uint8] = np.full((side, side, 4), 255, np.uint8)
    canvas[..., :3] = np.clip(picture + 0.5, 0, 255)
    return canvas


def _axes(side: int) -> tuple[Layer, Layer]:
    axis = ((np.arange(side) + 0.5) * (SHEET / side)).astype(np.float32)
    return axis[None, :], axis[:, None]


def _wall(palette: Palette, x: Layer, y: Layer) -> Layer:
    far = np.hypot((x - 256) / 400, (y - 215) / 400)
    picture = _ramp(far, ((0.0, palette.wall), (0.45, palette.wall), (1.0, palette.corner)))
    halo = np.hypot(x - 256, y - 262)
    _lay(picture, palette.glow, 0.55 * _fall(halo, 120, 265))
    _lay(picture, palette.glow, 0.16 * _fall(halo, 214, 218))
    return picture


def _shadow(picture: Layer, palette: Palette, x: Layer, y: Layer) -> None:
    for wide, high, much in ((150, 20, 0.32), (95, 9, 0.35)):
        _lay(picture, mix(palette.corner, (40, 20, 30), 0.45), much * _bump(x, y, 256, 462, wide, high))


def _radius(x: Layer, y: Layer) -> tuple[Layer, Layer, Layer]:
    """How far right, down and out of the head's middle a place is; its outline is at 1."""
    cx, cy, a, b = HEAD
    v = (y - cy) / b
    u = (x - cx) / (a * (1 + 0.05 * v))
    return u, v, (np.abs(u) ** ROUNDNESS + np.abs(v) ** ROUNDNESS) ** (1 / ROUNDNESS)


def _skin(palette: Palette, x: Layer, y: Layer) -> Layer:
    cx, cy = HEAD[:2]
    u, v, radius = _radius(x, y)
    r = np.clip(radius, 0, 1)
    height = np.sqrt(1 - r**2.6)
    lit = (-0.34 * u - 0.62 * v + 0.72 * height) / 1.01
    darkest = mix(palette.shade, palette.deep, 0.22)
    skin = _ramp(lit, ((-0.55, darkest), (-0.05, palette.shade), (0.45, palette.skin), (1.0, palette.light)))
    # Light that comes back from the wall along the lower rim, and the soft shine of the forehead.
    rim = (1 - height) ** 2.2 * np.clip(0.25 + 0.85 * v + 0.25 * u, 0, 1)
    _lay(skin, mix(palette.glow, palette.light, 0.35), 0.42 * rim)
    _lay(skin, (255, 255, 255), 0.50 * _bump(x, y, cx - 62, cy - 104, 62, 26, -0.35))
    _lay(skin, (255, 255, 255), 0.30 * _bump(x, y, cx - 128, cy - 58, 14, 22, 0.5))
    for ex, ey in EYES:
        _lay(skin, palette.shade, 0.30 * _bump(x, y, ex, ey + 4, 44, 50))
    for side in (-1, 1):
        _lay(skin, palette.blush, 0.50 * _bump(x, y, cx + side * 116, cy + 50, 32, 21, side * 0.12))
    _lay(skin, palette.light, 0.30 * _bump(x, y, 256, 302, 15, 9))
    _lay(skin, palette.shade, 0.30 * _bump(x, y, 256, 315, 17, 6))
    _lay(skin, palette.light, 0.22 * _bump(x, y, 256, 396, 44, 13))
    return skin


def _leaves(picture: Layer, palette: Palette, x: Layer, y: Layer, step: float) -> None:
    """Paint stem and leaves on the piece of the picture that is theirs."""
    dark, bright = mix(palette.leaf, (40, 60, 20), 0.35), mix(palette.leaf, (200, 255, 240), 0.5)
    stem = np.abs(x - 256 - 0.0016 * (y - 122) ** 2) - 4.2
    stem = np.maximum(stem, np.maximum(86 - y, y - 150))
    _lay(picture, dark, np.clip(0.5 - stem / step, 0, 1))
    for angle, length, fat in ((-2.62, 66.0, 21.0), (-0.42, 84.0, 25.0)):
        _leaf(picture, palette.leaf, dark, bright, x, y, step, (258.0, 95.0), angle, length, fat)


def _leaf(
    picture: Layer, colour: Colour, dark: Colour, bright: Colour, x: Layer, y: Layer, step: float,
    foot: tuple[float, float], angle: float, length: float, fat: float,
) -> None:  # fmt: skip
    """A leaf from its foot along ``angle``, its middle rib bent upwards."""
    along = ((x - foot[0]) * np.cos(angle) + (y - foot[1]) * np.sin(angle)) / length
    across = -(x - foot[0]) * np.sin(angle) + (y - foot[1]) * np.cos(angle)
    if angle < -1.6:
        across = -across
    t = np.clip(along, 0, 1)
    across = across + 0.26 * length * t * (1 - t)
    breadth = fat * np.sqrt(np.clip(t, 0, 1)) * (1 - t) ** 0.62 * 1.45
    edge = np.maximum(np.abs(across) - breadth, np.maximum(-along, along - 1) * length)
    inside = np.clip(0.5 - edge / step, 0, 1)
    tone = np.broadcast_to(np.array(colour, np.float32), picture.shape).copy()
    _lay(tone, bright, np.clip(0.65 - 0.9 * (across / np.maximum(breadth, 1) + 0.2), 0, 0.75))
    _lay(tone, dark, np.clip(0.9 * (across / np.maximum(breadth, 1) - 0.05), 0, 0.6))
    _lay(tone, bright, 0.55 * np.clip(1.6 - np.abs(across + 1) / 0.9, 0, 1) * (t < 0.86))
    picture += (tone - picture) * inside[..., None]


def _bump(x: Layer, y: Layer, cx: float, cy: float, wide: float, high: float, turn: float = 0.0) -> Layer:
    """A soft spot, 1 in its middle."""
    u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
    v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
    spot: Layer = np.exp(-((u / wide) ** 2) - (v / high) ** 2).astype(np.float32)
    return spot


def _fall(value: Layer, full: float, none: float) -> Layer:
    t = np.clip((value - full) / (none - full), 0, 1)
    fall: Layer = 1 - t * t * (3 - 2 * t)
    return fall


def _ramp(value: Layer, stops: tuple[tuple[float, Colour], ...]) -> Layer:
    """Colours along ``value``, smooth through the stops, shape (*value.shape, 3)."""
    at = [stop for stop, _ in stops]
    channels = [np.interp(value, at, [colour[i] for _, colour in stops]) for i in range(3)]
    return np.stack(channels, -1).astype(np.float32)


def _lay(picture: Layer, colour: Colour, much: Layer) -> None:
    """Lay a colour over the picture, in place."""
    picture += (np.array(colour, np.float32) - picture) * much.astype(np.float32)[..., None]
