"""Colours, BGR."""

from __future__ import annotations

from dataclasses import dataclass, replace

Colour = tuple[int, int, int]


def _rgb(text: str) -> Colour:
    value = int(text, 16)
    return value & 255, value >> 8 & 255, value >> 16


@dataclass(frozen=True, slots=True)
class Palette:
    """What the face is painted with."""

    back: Colour = _rgb("2b3a67")
    glow: Colour = _rgb("7d8fc9")
    skin: Colour = _rgb("fdf1e3")
    skin_low: Colour = _rgb("f0d3b8")
    ear: Colour = _rgb("e9c7a8")
    cheek: Colour = _rgb("f59a8c")
    ink: Colour = _rgb("2a2438")
    iris: Colour = _rgb("5b4a86")
    glint: Colour = _rgb("ffffff")
    brow: Colour = _rgb("a9805f")
    lip: Colour = _rgb("8f4a43")
    mouth: Colour = _rgb("6b2530")
    tongue: Colour = _rgb("e8808a")
    teeth: Colour = _rgb("fffaf2")
    stem: Colour = _rgb("5f8f5a")
    leaf: Colour = _rgb("86c57c")


DUSK = Palette()
PALETTES = {
    "dusk": DUSK,
    "mint": replace(DUSK, back=_rgb("1f5c57"), glow=_rgb("7fcdbb"), iris=_rgb("2f7d74")),
    "peach": replace(DUSK, back=_rgb("b3574a"), glow=_rgb("ffc9a3"), iris=_rgb("7a4a34")),
    "night": replace(DUSK, back=_rgb("0b0f1c"), glow=_rgb("27304d"), iris=_rgb("3b5a8f")),
}
