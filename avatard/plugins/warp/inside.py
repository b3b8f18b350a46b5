"""What is seen between the lips: teeth, tongue and the dark behind them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Pixels
from avatard.face.landmarks import LIP_POINTS

from .anatomy import Anatomy, Opening
from .flesh import Field, Flesh

Layer = NDArray[np.float32]
"""BGR for each pixel of the window, 0-255."""

UPPER = (0.068, 0.056, 0.050, 0.040, 0.034)
"""Half the widths of the teeth from the middle outwards, units; they look narrower as the arch turns away."""
LOWER = (0.046, 0.050, 0.052, 0.046, 0.04)
MIDDLE = LIP_POINTS // 2
SLIT = 0.012
"""Between teeth that meet, units."""


class Inside:
    """Paints the inner mouth into the patch of the flesh."""

    def __init__(self, cv2: Any, picture: Pixels, flesh: Flesh, anatomy: Anatomy) -> None:
        """Take the photograph's teeth where it shows them; draw them otherwise."""
        self._cv2, self._own, self._flesh = cv2, anatomy, flesh
        unit = anatomy.unit
        window = (np.abs(flesh.x) < 1.12 * anatomy.half + 2) & (flesh.y > -0.30 * unit) & (flesh.y < 0.62 * unit)
        rows, columns = np.flatnonzero(window.any(1)), np.flatnonzero(window.any(0))
        self._at = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        self._x, self._y = flesh.x[self._at], flesh.y[self._at]
        patch = picture[flesh.top : flesh.bottom, flesh.left : flesh.right][self._at]
        self._own_upper, self._own_lower = self._curves(anatomy.edges[1], anatomy.edges[2])
        light = self._light(picture)
        self._lip = self._lip_colour(patch)
        self._line = self._lip * np.float32(0.42)
        self._teeth, self._cover = self._upper_teeth(patch.astype(np.float32), light)
        self._tongue, self._lower = self._tongue_of(light), self._lower_teeth(light)
        self._throat = self._toned(np.array([28, 20, 52], np.float32)) * light

    def _curves(self, upper: NDArray[np.float32], lower: NDArray[np.float32]) -> tuple[Field, Field]:
        table = self._flesh.table
        half = self._own.half
        return tuple(self._flesh.spread(table(half, curve))[self._at] for curve in (upper, lower))  # type: ignore[return-value]

    def _light(self, picture: Pixels) -> NDArray[np.float32]:
        """How bright and of what tint the light on the face is, BGR, 1 where it is white and full."""
        flesh, unit = self._flesh, self._own.unit
        cheek = (np.abs(np.abs(flesh.x) - 0.62 * unit) < 0.12 * unit) & (np.abs(flesh.y + 0.1 * unit) < 0.15 * unit)
        skin = picture[flesh.top : flesh.bottom, flesh.left : flesh.right][cheek]
        level = float(np.percentile(skin.max(-1), 70)) if len(skin) else 200.0
        return np.full(3, np.clip(level / 215, 0.35, 1.1), np.float32)

    def _lip_colour(self, patch: Pixels) -> NDArray[np.float32]:
        """The lower lip's middle colour."""
        low = self._own.edges[3, 10] - self._own.edges[2, 10]
        lip = (np.abs(self._x) < 0.4 * self._own.half) & (self._y > self._own_lower + 0.25 * low)
        lip &= self._y < self._own_lower + 0.7 * low
        return np.asarray(np.median(patch[lip], 0) if lip.any() else (110, 100, 170), np.float32)

    def _toned(self, colour: NDArray[np.float32]) -> NDArray[np.float32]:
        """A colour of the mouth's; grey in a grey photograph."""
        spread = float(self._lip.max() - self._lip.min()) / max(1.0, float(self._lip.max()))
        grey = colour.mean()
        return np.asarray(grey + (colour - grey) * min(1.0, spread / 0.15), np.float32)

    def _upper_teeth(self, patch: Layer, light: NDArray[np.float32]) -> tuple[Layer, Field]:
        unit, gap = self._own.unit, self._own_lower - self._own_upper
        if self._own.gap > 0.07 * unit:
            return self._own_teeth(patch, gap)
        self._edge = float(self._own.edges[1, MIDDLE]) * 0.5 + 0.064 * unit
        bottom = self._own_upper * 0.5 + np.float32(0.064 * unit) - 0.10 * self._x**2 / unit
        return self._drawn(self._y - bottom, UPPER, light * 0.93, unit * 0.2)

    def _own_teeth(self, patch: Layer, gap: Field) -> tuple[Layer, Field]:
        """The photograph's: what is between its lips, carried on behind them."""
        cv2, unit = self._cv2, self._own.unit
        rim = np.float32(0.02 * unit)
        bare = (self._y > self._own_upper + rim) & (self._y < self._own_lower - rim)
        known = cv2.erode(bare.astype(np.uint8), np.ones((3, 1), np.uint8))
        filled = cv2.inpaint(patch.astype(np.uint8), 1 - known, 4, cv2.INPAINT_TELEA).astype(np.float32)
        bottom = self._own_lower - rim
        self._edge = float(self._own.edges[2, MIDDLE] - rim)
        cover = np.clip((bottom - self._y) / (0.03 * unit) + 0.5, 0, 1) * (np.abs(self._x) < 1.05 * self._own.half)
        return filled, cover.astype(np.float32)

    def _drawn(
        self, away: Field, widths: tuple[float, ...], light: NDArray[np.float32], tall: float
    ) -> tuple[Layer, Field]:
        """A row of teeth; ``away`` is the distance below their cutting edges."""
        unit = np.float32(self._own.unit)
        across = np.abs(self._x) / unit
        ends = np.cumsum(np.array(widths) * 2)
        starts = ends - np.array(widths) * 2
        shade = np.zeros_like(across)
        round_off = np.zeros_like(across)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
            here = (across >= start) & (across < end)
            within = (across - (start + end) / 2) / ((end - start) / 2)
            tone = (1 - 0.10 * number) * (1 - 0.08 * within**2 - 0.10 * within**8)
            shade = np.where(here, tone, shade)
            round_off = np.where(here, 0.011 * np.abs(within) ** 5 + 0.005 * (number == 1), round_off)
        edge = -away / unit - round_off
        cover = np.clip(edge / 0.014 + 0.5, 0, 1) * (across < ends[-1]) * np.clip((tall / unit - edge) / 0.03, 0, 1)
        depth = np.clip(edge / 0.16, 0, 1)
        colour = self._toned(np.array([208, 226, 238], np.float32)) * light
        tint = (shade * (1.0 - 0.10 * depth))[..., None]
        # Towards the gums they are warmer.
        layer = colour * tint * (1 - depth[..., None] * np.array([0.03, 0.02, 0.0], np.float32))
        return layer.astype(np.float32), cover.astype(np.float32)

    def _tongue_of(self, light: NDArray[np.float32]) -> tuple[Layer, Field]:
        """The tongue, its tip at y = 0; it drops with the jaw."""
        x, y = self._x / np.float32(self._own.unit), self._y / np.float32(self._own.unit)
        tip = 0.9 * x**2
        cover = np.clip((y - tip) / 0.045, 0, 1)
        tone = 0.62 + 0.34 * np.clip((y - tip) / 0.10, 0, 1) - 0.10 * np.exp(-((x / 0.022) ** 2))
        layer = self._toned(np.array([104, 96, 182], np.float32)) * light * tone[..., None]
        return layer.astype(np.float32), (cover * cover * (3 - 2 * cover)).astype(np.float32)

    def _lower_teeth(self, light: NDArray[np.float32]) -> tuple[Layer, Field]:
        """The lower teeth, their edges at y = 0; they drop with the jaw."""
        edge = np.float32(0.16) * self._x**2 / np.float32(self._own.unit)
        return self._drawn(edge - self._y, LOWER, light * np.float32(0.82), self._own.unit * 0.2)

    def paint(self, patch: Pixels, mouth: Opening, upper: Field, lower: Field) -> None:
        """Lay the inner mouth into the patch."""
        top, low = upper[self._at], lower[self._at]
        over, under = self._y - top, low - self._y
        within = np.clip(over + 0.5, 0, 1) * np.clip(under + 0.5, 0, 1) * np.clip((low - top) * 0.8, 0, 1)
        within *= np.abs(self._x) < mouth.half
        inner = self._layers(mouth, over, under)
        place = patch[self._at].astype(np.float32)
        place = self._lips(place, mouth, over, under)
        place += (inner - place) * within[..., None]
        patch[self._at] = np.clip(place + 0.5, 0, 255)

    def _layers(self, mouth: Opening, over: Field, under: Field) -> Layer:
        unit = np.float32(self._own.unit)
        wide = float(np.clip(mouth.gap / (0.22 * unit), 0, 1))
        bottom = float(mouth.lower[MIDDLE])
        inner: Layer = np.broadcast_to(self._throat, (*self._x.shape, 3))
        inner = _over(inner, *self._lowered(self._tongue, bottom - (0.03 + 0.08 * wide) * self._own.unit))
        bared = max(float(np.clip(2.5 * (mouth.wide - 0.5), 0, 1)), mouth.teeth)
        edge = bottom - (0.012 + 0.03 * bared) * self._own.unit
        # Teeth that meet: the lower row comes up to the upper one, but for a fine dark line.
        edge += mouth.teeth * min(0.0, self._edge + SLIT * self._own.unit - edge)
        teeth, cover = self._lowered(self._lower, edge)
        inner = _over(inner, teeth, cover * (0.35 + 0.65 * bared) * (1 - mouth.round))
        inner = _over(inner, self._teeth, self._cover)
        dim = mouth.share * (1 - 0.6 * mouth.teeth)
        shade = 1 - dim * 0.30 * np.exp(-np.clip(over, 0, None) / (0.022 * unit))
        shade *= 1 - dim * 0.25 * np.exp(-np.clip(under, 0, None) / (0.03 * unit))
        corner = np.clip(np.abs(self._x) / np.float32(mouth.half), 0, 1)
        shade *= 1 - mouth.share * ((0.5 - 0.25 * mouth.teeth) * corner**5 + 0.5 * mouth.round)
        return np.asarray(inner * shade[..., None], np.float32)

    def _lowered(self, layer: tuple[Layer, Field], down: float) -> tuple[Layer, Field]:
        """A layer of the jaw's, so many pixels lower."""
        own, size = self._own, (self._x.shape[1], self._x.shape[0])
        move = np.array([[1, 0, -own.sin * down], [0, 1, own.cos * down]], np.float32)
        colours, cover = (
            self._cv2.warpAffine(part, move, size, borderMode=self._cv2.BORDER_REPLICATE) for part in layer
        )
        return colours, cover

    def _lips(self, place: Layer, mouth: Opening, over: Field, under: Field) -> Layer:
        """The lips roll inwards: darker towards the opening, a line where they meet."""
        unit = np.float32(self._own.unit)
        away = np.maximum(-over, -under)
        near = np.exp(-np.clip(away, 0, None) / (0.022 * unit)) * (np.abs(self._x) < mouth.half * 1.02)
        fade = np.clip((1.06 - np.abs(self._x) / mouth.half) / 0.12, 0, 1)
        return _over(place, self._line, 0.55 * mouth.share * near * fade)


def _over(below: Layer, layer: Layer, cover: NDArray[Any]) -> Layer:
    return np.asarray(below + (layer - below) * cover[..., None], np.float32)
