"""An eyeball, painted once: its white, and the iris that moves upon it by half pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .palette import Colour, Palette, bgr, mix
from .pen import Patch, Pen

WIDE, HIGH = 37.0, 45.0
"""Half axes of an eye, in units."""
IRIS, PUPIL, TALL = 29.0, 16.5, 1.06
"""Radii, and how much taller than wide both are."""
WHITE_ROOM, IRIS_ROOM = 64.0, 32.0
"""Half sides of the two pictures."""
TOWARDS, DOWN = 3.0, 2.0
"""Where eyes at rest look: a little towards each other, at somebody near."""

Layer = NDArray[np.floating[Any]]


class Eyeball:
    """The white with the iris upon it."""

    def __init__(self, cv2: Any, scale: float, palette: Palette, side: int) -> None:
        """Paint both; ``side`` 0 is the eye on the left."""
        self._cv2, self._scale = cv2, scale
        self._rest = (TOWARDS if side == 0 else -TOWARDS, DOWN)
        self._white = _white(palette, scale)
        self._iris, self._over = _iris(palette, scale)
        self._under = 1 - self._over

    def look(self, pen: Pen, at: tuple[float, float], gaze: tuple[float, float]) -> Patch:
        """Return the pen's patch filled with the eyeball that is centred ``at`` and looks along ``gaze``."""
        room = self._white.shape[0] // 2
        left = room + pen.left - round(at[0] * self._scale)
        top = room + pen.top - round(at[1] * self._scale)
        patch = self._white[top : top + pen.height, left : left + pen.width].copy()
        room = self._iris.shape[0] // 2
        left = round((at[0] + self._rest[0] + gaze[0]) * self._scale) - pen.left - room
        top = round((at[1] + self._rest[1] + gaze[1]) * self._scale) - pen.top - room
        spot = patch[top : top + 2 * room, left : left + 2 * room]
        spot[:] = self._cv2.blendLinear(self._iris, spot, self._over, self._under)
        return patch


def _grid(room: float, scale: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    half = round(room * scale)
    axis = ((np.arange(2 * half) - half + 0.5) / scale).astype(np.float32)
    return axis[None, :], axis[:, None]


def _white(palette: Palette, scale: float) -> Patch:
    x, y = _grid(WHITE_ROOM, scale)
    picture = np.empty((*np.broadcast_shapes(x.shape, y.shape), 3), np.float32)
    picture[:] = bgr("fffdfa")
    _lay(picture, mix(palette.shade, bgr("8c96b8"), 0.7), 0.55 * np.clip(-(y + 20) / 28, 0, 1))
    edge = np.clip((np.hypot(x / WIDE, y / HIGH) - 0.72) / 0.3, 0, 1)
    _lay(picture, mix(palette.shade, bgr("8c96b8"), 0.6), 0.40 * edge)
    return _four(picture)


def _iris(palette: Palette, scale: float) -> tuple[Patch, NDArray[np.float32]]:
    """Return the iris with its pupil and highlights, and how much it covers (0-1)."""
    x, y = _grid(IRIS_ROOM, scale)
    picture = np.empty((*np.broadcast_shapes(x.shape, y.shape), 3), np.float32)
    dark, bright = mix(palette.iris, (30, 12, 20), 0.6), mix(palette.iris, (225, 255, 255), 0.45)
    picture[:] = dark
    _lay(picture, palette.iris, _disc(x, y - 1, IRIS - 2.4, 3.0))
    _lay(picture, bright, 0.85 * _disc(x, (y - 12) / 0.8, IRIS - 11, 16.0))
    _lay(picture, dark, 0.6 * np.clip((-2 - y) / 22, 0, 1))
    _lay(picture, bgr("1d1420"), _disc(x, y, PUPIL, 1.6))
    _lay(picture, (255, 255, 255), _disc(x + 10, y + 13, 9.0, 0.9))
    _lay(picture, (255, 255, 255), 0.95 * _disc(x - 11, y - 13, 3.9, 1.2))
    return _four(picture), _disc(x, y, IRIS, 0.8).astype(np.float32)


def _disc(x: Layer, y: Layer, radius: float, soft: float) -> Layer:
    disc: Layer = np.clip(0.5 - (np.hypot(x, y / TALL) - radius) / soft, 0, 1)
    return disc


def _lay(picture: Layer, colour: Colour, much: Layer) -> None:
    picture += (np.array(colour, np.float32) - picture) * much[..., None]


def _four(picture: Layer) -> Patch:
    patch: Patch = np.full((*picture.shape[:2], 4), 255, np.uint8)
    patch[..., :3] = np.clip(picture + 0.5, 0, 255)
    return patch
