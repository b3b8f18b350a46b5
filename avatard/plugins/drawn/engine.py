"""Pip, the default face: a round, calm companion. All measures are for 512 pixels and scale."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Pixels
from avatard.face.shapes import MouthShape
from avatard.plugins.drawn.palettes import PALETTES, Colour

FINE = 3
"""Eyes and mouth are drawn this many times larger and averaged down."""
BREATH_FRAMES = 100
"""One breath: 4 s."""
BLINK_FRAMES = (0.55, 0.95, 1.0, 0.8, 0.4)
"""How far the lids are shut, frame by frame."""


@dataclass(frozen=True, slots=True)
class Pose:
    """What moves beside the mouth."""

    rise: float
    """Pixels that the head is moved down."""
    lids: float
    """0 open, 1 shut"""
    gaze: tuple[float, float]
    """Pixels that the eyes look aside and down."""
    lift: float
    """0–1: brows, with emphasis."""


class DrawnEngine:
    """Draws frames; its own clock goes on from answer to answer, so that nothing jumps."""

    def __init__(self, size: int, palette: str, seed: int = 5) -> None:
        """Draw the background and the head."""
        import cv2

        self._cv2: Any = cv2
        self._size, self._scale = size, size / 512
        self._colours = PALETTES[palette]
        self._random = random.Random(seed)
        self._still = self._head()
        self._frame = 0
        self._blink_at = 40
        self._gaze = (0.0, 0.0)
        self._gaze_to = (0.0, 0.0)
        self._lift = 0.0

    def draw(self, mouth: MouthShape) -> Pixels:
        """The next frame, a fresh array of shape (size, size, 3), BGR."""
        self._frame += 1
        since = self._frame - self._blink_at
        if since >= len(BLINK_FRAMES):
            self._blink_at = self._frame + self._random.randint(50, 140)
            since = -1
        if self._frame % 37 == 0:
            self._gaze_to = (self._random.uniform(-4, 4), self._random.uniform(-2, 2.5))
        self._gaze = tuple(g + (t - g) * 0.35 for g, t in zip(self._gaze, self._gaze_to, strict=True))  # type: ignore[assignment]
        self._lift += (max(0.0, mouth.open - 0.45) * 1.6 - self._lift) * 0.25
        lids = BLINK_FRAMES[since] if since >= 0 else 0.0
        return self._picture(mouth, Pose(self._breath(self._frame / BREATH_FRAMES), lids, self._gaze, self._lift))

    def draw_at(self, mouth: MouthShape, phase: float) -> Pixels:
        """A frame of a closed loop, ``phase`` 0–1 through it: it blinks once, at its middle."""
        step = round((phase - 0.5) * BREATH_FRAMES)
        lids = BLINK_FRAMES[step] if 0 <= step < len(BLINK_FRAMES) else 0.0
        gaze = (3 * math.sin(2 * math.pi * phase), 1.2 * math.sin(4 * math.pi * phase))
        return self._picture(mouth, Pose(self._breath(phase), lids, gaze, 0.0))

    def _breath(self, phase: float) -> float:
        return 3.0 * math.sin(2 * math.pi * phase)

    def _picture(self, mouth: MouthShape, pose: Pose) -> Pixels:
        shift = np.array([[1, 0, 0], [0, 1, pose.rise * self._scale]], np.float32)
        picture: Pixels = self._cv2.warpAffine(
            self._still, shift, (self._size, self._size), flags=self._cv2.INTER_LINEAR,
            borderMode=self._cv2.BORDER_REPLICATE,
        )  # fmt: skip
        for side in (-1, 1):
            self._patch(picture, 256 + side * 78, 222 + pose.rise, 128, 150, lambda p, s=side: self._eye(p, s, pose))
        self._patch(picture, 256, 336 + pose.rise, 190, 130, lambda p: self._mouth(p, mouth))
        return picture

    def _patch(self, picture: Pixels, x: float, y: float, width: int, height: int, paint: Any) -> None:
        """Let ``paint`` draw around (x, y) at FINE times the size, then blend it in."""
        k = self._scale
        w, h = int(width * k) // 2 * 2, int(height * k) // 2 * 2
        left, top = round(x * k) - w // 2, math.floor(y * k) - h // 2
        canvas = Canvas(self._cv2, w * FINE, h * FINE, k * FINE, (y * k - math.floor(y * k)) * FINE)
        paint(canvas)
        area = self._cv2.INTER_AREA
        colour = self._cv2.resize(canvas.colour, (w, h), interpolation=area).astype(np.uint16)
        alpha = self._cv2.resize(canvas.alpha, (w, h), interpolation=area).astype(np.uint16)[:, :, None]
        under = picture[top : top + h, left : left + w]
        # colour is premultiplied: it is zero wherever nothing was painted.
        under[:] = np.minimum(255, colour + (under * (255 - alpha) + 127) // 255)

    def _eye(self, canvas: Canvas, side: int, pose: Pose) -> None:
        c = self._colours
        gx, gy = pose.gaze
        shut = min(1.0, pose.lids)
        height = 35 * (1 - shut)
        brow = -56 - 7 * pose.lift
        canvas.arc((side * 2, brow + 26), (30, 24), 205 + side * 6, 335 + side * 6, c.brow, 7)
        if height < 5:
            canvas.arc((0, 2), (27, 12), 15, 165, c.ink, 7)
            return
        canvas.ellipse((0, 0), (28, height), c.ink)
        canvas.ellipse((gx * 0.8, gy + height * 0.3), (19, height * 0.52), c.iris)
        canvas.ellipse((gx, gy), (15, min(19, height * 0.6)), c.ink)
        canvas.ellipse((gx + 9, gy - height * 0.36), (8.5, 8.5 * (1 - shut)), c.glint)
        canvas.ellipse((gx - 9, gy + height * 0.38), (4.2, 4.2 * (1 - shut)), c.glint)

    def _mouth(self, canvas: Canvas, mouth: MouthShape) -> None:
        c = self._colours
        half = (30 + 17 * mouth.wide) * (1 - 0.42 * mouth.round)
        if mouth.open < 0.04:
            canvas.arc((0, -16), (half, 24), 28, 152, c.lip, 7.5)
            return
        drop = 8 + 46 * mouth.open * (1 + 0.15 * mouth.round)
        rise = 3 + 9 * mouth.open + 6 * mouth.round
        smile = 7 * (1 - mouth.round) * (1 - 0.4 * mouth.open)
        outline = _lips(half, rise, drop, smile)
        canvas.polygon(outline, c.mouth)
        inside = canvas.mask(outline)
        canvas.ellipse((0, drop * 0.92), (half * 0.62, drop * 0.48), c.tongue, inside)
        if mouth.open > 0.12:
            canvas.ellipse((0, -rise - 9), (half * 0.74, 11 + 5 * mouth.open), c.teeth, inside)
        canvas.outline(outline, c.lip, 6.5)

    def _head(self) -> Pixels:
        """The background, the head, its cheeks and ears, drawn large and averaged down."""
        cv2, c, n = self._cv2, self._colours, self._size * 2
        k = n / 512
        y, x = np.mgrid[0:n, 0:n].astype(np.float32) / n
        glow = np.clip(1 - np.hypot(x - 0.5, y - 0.45) / 0.75, 0, 1)[..., None] ** 1.2
        picture = np.array(c.back, np.float32) * (1 - glow) + np.array(c.glow, np.float32) * glow
        shadow = np.zeros((n, n), np.float32)
        cv2.ellipse(shadow, _at(256, 478, k), _at(130, 15, k), 0, 0, 360, 0.35, -1, cv2.LINE_AA)
        picture *= 1 - cv2.GaussianBlur(shadow, (0, 0), 12 * k)[..., None]
        for side in (-1, 1):
            picture = self._blend(picture, self._blob(n, 256 + side * 172, 262, 30, 44, k), c.ear)
        head = self._superellipse(n, k)
        shade = np.clip((y * 512 - 90) / 360, 0, 1)[..., None]
        light = np.clip(1 - np.hypot(x * 512 - 200, y * 512 - 150) / 230, 0, 1)[..., None] ** 1.5
        skin = np.array(c.skin, np.float32) * (1 - shade) + np.array(c.skin_low, np.float32) * shade
        skin = skin + (255 - skin) * 0.45 * light
        picture = picture * (1 - head[..., None]) + skin * head[..., None]
        for side in (-1, 1):
            cheek = cv2.GaussianBlur(self._blob(n, 256 + side * 122, 300, 30, 20, k), (0, 0), 9 * k)
            picture = self._blend(picture, cheek * 0.55 * head, c.cheek)
        picture = self._antenna(picture, n, k)
        small = cv2.resize(np.clip(picture, 0, 255), (self._size, self._size), interpolation=cv2.INTER_AREA)
        result: Pixels = np.rint(small).astype(np.uint8)
        return result

    def _antenna(self, picture: NDArray[np.float32], n: int, k: float) -> NDArray[np.float32]:
        """A leaf on top: what makes it somebody."""
        cv2, c = self._cv2, self._colours
        leaf = np.zeros((n, n), np.float32)
        cv2.ellipse(leaf, _at(281, 62, k), _at(31, 15, k), -38, 0, 360, 1.0, -1, cv2.LINE_AA)
        stem = np.zeros((n, n), np.float32)
        cv2.ellipse(stem, _at(276, 92, k), _at(21, 24, k), 0, 150, 235, 1.0, int(7 * k), cv2.LINE_AA)
        return self._blend(self._blend(picture, stem, c.stem), leaf, c.leaf)

    def _superellipse(self, n: int, k: float) -> NDArray[np.float32]:
        t = np.linspace(0, 2 * math.pi, 240)
        power = 2 / 2.7
        px = 256 + 172 * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power
        py = 276 + 182 * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power
        mask = np.zeros((n, n), np.float32)
        points = np.rint(np.stack([px, py], 1) * k * 16).astype(np.int32)
        self._cv2.fillPoly(mask, [points], 1.0, self._cv2.LINE_AA, 4)
        return mask

    def _blob(self, n: int, x: float, y: float, a: float, b: float, k: float) -> NDArray[np.float32]:
        mask = np.zeros((n, n), np.float32)
        self._cv2.ellipse(mask, _at(x, y, k), _at(a, b, k), 0, 0, 360, 1.0, -1, self._cv2.LINE_AA)
        return mask

    @staticmethod
    def _blend(picture: NDArray[np.float32], mask: NDArray[np.float32], colour: Colour) -> NDArray[np.float32]:
        return picture * (1 - mask[..., None]) + np.array(colour, np.float32) * mask[..., None]


def _at(x: float, y: float, k: float) -> tuple[int, int]:
    return round(x * k), round(y * k)


def _lips(half: float, rise: float, drop: float, smile: float) -> NDArray[np.float32]:
    """The mouth's outline, shape (48, 2), corners lifted by ``smile``."""
    t = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    x = half * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** 0.9
    y = np.where(np.sin(t) > 0, drop, rise) * np.sin(t) - smile * (np.cos(t) ** 2)
    return np.stack([x, y], 1).astype(np.float32)


class Canvas:
    """A patch drawn large, centred on (0, 0), measured for 512 pixels: premultiplied colour and alpha."""

    def __init__(self, cv2: Any, width: int, height: int, scale: float, down: float) -> None:
        """Begin empty."""
        self.colour: Pixels = np.zeros((height, width, 3), np.uint8)
        self.alpha: Pixels = np.zeros((height, width), np.uint8)
        self._cv2, self._k = cv2, scale
        self._x, self._y = width / 2, height / 2 + down

    def ellipse(
        self, at: tuple[float, float], axes: tuple[float, float], colour: Colour, inside: Pixels | None = None
    ) -> None:
        """Fill an ellipse; only where ``inside`` is set."""
        centre, size = self._points(at), self._axes(axes)
        if inside is None:
            for target, value in ((self.colour, colour), (self.alpha, 255)):
                self._cv2.ellipse(target, (centre, size, 0.0), value, -1)
            return
        mask = np.zeros_like(self.alpha)
        self._cv2.ellipse(mask, (centre, size, 0.0), 255, -1)
        self.colour[(mask & inside) > 0] = colour

    def arc(
        self, at: tuple[float, float], axes: tuple[float, float], begin: float, end: float, colour: Colour, thick: float
    ) -> None:
        """Draw part of an ellipse's line, with round ends."""
        angles = np.radians(np.linspace(begin, end, 24))
        self.outline(np.stack([at[0] + axes[0] * np.cos(angles), at[1] + axes[1] * np.sin(angles)], 1), colour, thick,
                     closed=False)  # fmt: skip

    def polygon(self, points: NDArray[np.float32], colour: Colour) -> None:
        """Fill a polygon."""
        pixels = self._pixels(points)
        self._cv2.fillPoly(self.colour, [pixels], colour)
        self._cv2.fillPoly(self.alpha, [pixels], 255)

    def outline(self, points: Any, colour: Colour, thick: float, closed: bool = True) -> None:
        """Draw a line through the points."""
        pixels, width = self._pixels(points), max(1, round(thick * self._k))
        self._cv2.polylines(self.colour, [pixels], closed, colour, width)
        self._cv2.polylines(self.alpha, [pixels], closed, 255, width)

    def mask(self, points: NDArray[np.float32]) -> Pixels:
        """255 inside the polygon."""
        mask = np.zeros_like(self.alpha)
        self._cv2.fillPoly(mask, [self._pixels(points)], 255)
        return mask

    def _points(self, at: tuple[float, float]) -> tuple[float, float]:
        return self._x + at[0] * self._k, self._y + at[1] * self._k

    def _axes(self, axes: tuple[float, float]) -> tuple[float, float]:
        return max(1.0, 2 * axes[0] * self._k), max(1.0, 2 * axes[1] * self._k)

    def _pixels(self, points: Any) -> NDArray[np.int32]:
        pixels: NDArray[np.int32] = np.rint(np.asarray(points) * self._k + (self._x, self._y)).astype(np.int32)
        return pixels
