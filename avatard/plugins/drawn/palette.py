"""Colours of the face and of the room behind it."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]
"""Blue, green, red, 0-255."""


def bgr(code: str) -> Colour:
    """Turn ``rrggbb`` into a colour."""
    return float(int(code[4:6], 16)), float(int(code[2:4], 16)), float(int(code[0:2], 16))


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Blend two colours: 0 is the first, 1 the second."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


@dataclass(frozen=True, slots=True)
class Palette:
    """One set of colours."""

    wall: Colour
    """Behind the head."""
    corner: Colour
    """The wall's far corners."""
    glow: Colour
    """The light around the head."""
    light: Colour
    """Skin in full light."""
    skin: Colour
    shade: Colour
    """Skin turned away from the light."""
    deep: Colour
    """Skin below, and what is drawn on it: lashes, brows."""
    blush: Colour
    lips: Colour
    iris: Colour
    leaf: Colour


PALETTES = {
    "apricot": Palette(
        wall=bgr("8fd0cb"), corner=bgr("3f8f98"), glow=bgr("d8f3e6"), light=bgr("fff0d9"), skin=bgr("ffcf9f"),
        shade=bgr("f59f72"), deep=bgr("a8503f"), blush=bgr("ff7f6e"), lips=bgr("e2695d"), iris=bgr("3f8f7f"),
        leaf=bgr("6fbf5f"),
    ),
    "pear": Palette(
        wall=bgr("f7d9b5"), corner=bgr("d99a7c"), glow=bgr("fff6e3"), light=bgr("f6fbd4"), skin=bgr("cfe394"),
        shade=bgr("94bd62"), deep=bgr("4e6b34"), blush=bgr("f2a07a"), lips=bgr("d0705c"), iris=bgr("8a5a3a"),
        leaf=bgr("5f9f58"),
    ),
    "blueberry": Palette(
        wall=bgr("f6cdbb"), corner=bgr("c98690"), glow=bgr("fff0e2"), light=bgr("e3f1ff"), skin=bgr("9fc6f2"),
        shade=bgr("6d8fdb"), deep=bgr("3a4a8f"), blush=bgr("f093ad"), lips=bgr("cf6585"), iris=bgr("4a5fb8"),
        leaf=bgr("79c29a"),
    ),
    "plum": Palette(
        wall=bgr("b9c8ee"), corner=bgr("6a75b5"), glow=bgr("eef1ff"), light=bgr("fbe9fb"), skin=bgr("dcb3e6"),
        shade=bgr("ab7fc9"), deep=bgr("633f86"), blush=bgr("f585ab"), lips=bgr("cc5c8c"), iris=bgr("6b4aa0"),
        leaf=bgr("7cc08a"),
    ),
}  # fmt: skip
"""By name."""
