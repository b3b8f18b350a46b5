"""The faces that a renderer can wear, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from avatard.api.errors import Refused
from avatard.face.bundle import names


class Wardrobe:
    """The face with which a renderer began, and those that were imported."""

    def __init__(self, first: Path, known: Callable[[], dict[str, Path]] = names) -> None:
        """Begin with one; ``known`` says which others there are."""
        self.first = self.worn = first
        self._known = known

    @property
    def choices(self) -> tuple[str, ...]:
        """The names of all of them."""
        return tuple(sorted({*self._known(), self.first.stem}))

    @property
    def chosen(self) -> str:
        """The name of the one that is worn."""
        return self.worn.stem

    def find(self, name: str) -> Path:
        """Where the face with this name lies.

        Raises:
            Refused: there is no such face.
        """
        path = self.first if name == self.first.stem else self._known().get(name)
        if path is None:
            raise Refused(f"there is no face {name!r}; there are {', '.join(self.choices)}")
        return path
