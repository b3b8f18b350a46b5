"""Colours, BGR."""

from __future__ import annotations

from dataclasses import dataclass, replace

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Palette:
    """What the face is painted with."""

    back: Colour = (103, 58, 43)
    glow: Colour = (201, 143, 125)
    skin: Colour = (227, 241, 253)
    skin_low: Colour = (184, 211, 240)
    ear: Colour = (168, 199, 233)
    cheek: Colour = (140, 154, 245)
    ink: Colour = (56, 36, 42)
    iris: Colour = (134, 74, 91)
    glint: Colour = (255, 255, 255)
    brow: Colour = (95, 128, 169)
    lip: Colour = (67, 74, 143)
    mouth: Colour = (48, 37, 107)
    tongue: Colour = (138, 128, 232)
    teeth: Colour = (242, 250, 255)
    stem: Colour = (90, 143, 95)
    leaf: Colour = (124, 197, 134)


DUSK = Palette()
PALETTES = {
    "dusk": DUSK,
    "mint": replace(DUSK, back=(87, 92, 31), glow=(187, 205, 127), iris=(116, 125, 47)),
    "peach": replace(DUSK, back=(74, 87, 179), glow=(163, 201, 255), iris=(52, 74, 122)),
    "night": replace(DUSK, back=(28, 15, 11), glow=(77, 48, 39), iris=(143, 90, 59)),
}
