"""The photograph as a puppet: one picture at a time, on the thread that owns it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from avatard.api.errors import ConfigError
from avatard.api.flow import Pixels
from avatard.face.bundle import Face, load
from avatard.face.shapes import REST, MouthShape

from .anatomy import Anatomy, opening
from .flesh import Flesh
from .inside import Inside
from .lids import Lid
from .motion import Pose, pose
from .sway import Sway

LEAST = 2.0
"""Pixels between the mouth's corners, and between the eyes."""


class Mouth:
    """The mouth of one frame."""

    def __init__(self, picture: Pixels, anatomy: Anatomy) -> None:
        """Measure it and prepare what lies behind the lips."""
        self._picture, self._anatomy = picture, anatomy
        self._flesh = Flesh(cv2, len(picture), anatomy)
        self._inside = Inside(cv2, picture, self._flesh, anatomy)

    def draw(self, picture: Pixels, shape: MouthShape, share: float) -> None:
        """Draw the mouth into the picture."""
        mouth, flesh = opening(self._anatomy, shape, share), self._flesh
        upper, lower = flesh.edges(mouth)
        patch = flesh.warp(self._picture, mouth, upper, lower)
        self._inside.paint(patch, mouth, upper, lower)
        picture[flesh.top : flesh.bottom, flesh.left : flesh.right] = patch


class Puppet:
    """Moves a face bundle's mouth; a picture depends on nothing but what is passed in, so that answers may share it."""

    def __init__(self, path: str, size: int, seed: int) -> None:
        """Read the bundle and prepare its first frame.

        Args:
            path: the bundle.
            size: pixels a side.
            seed: of the blinks and small motions.

        Raises:
            ConfigError: the bundle cannot be used.
        """
        # Handing such small patches out to threads costs more than the work itself.
        cv2.setNumThreads(1)
        self._size, self._seed = size, seed
        self._path = ""
        self.wear(path)
        # Whatever the libraries prepare at their first call is done here.
        self.talk(0, MouthShape(0.5, 0.5, 0.0), 0.5, 1.0)

    def wear(self, path: str) -> None:
        """Take another bundle; the one that it wears already costs nothing."""
        if path == self._path:
            return
        self._face = _with_a_mouth(path).at(self._size)
        self._path = path
        marks = self._face.landmarks[0]
        unit = Anatomy.of(marks).unit
        self._lids = [Lid(cv2, self._size, eye, unit) for eye in marks.eyes]
        self._sway = Sway(cv2, self._size, marks)
        self._at, self._mouth = 0, self._measured(0)

    def check(self, path: str) -> None:
        """Find out whether a bundle can be worn.

        Raises:
            ConfigError: it cannot; says why.
        """
        _with_a_mouth(path)

    def _measured(self, number: int) -> Mouth:
        return Mouth(self._face.frames[number], Anatomy.of(self._face.landmarks[number]))

    def talk(self, index: int, shape: MouthShape, lift: float, share: float, life: float = 1.0) -> Pixels:
        """Draw picture ``index`` of the face's life.

        Args:
            index: which picture.
            shape: the mouth.
            lift: 0-1 raises the brows and nods.
            share: 0 the photograph's own mouth - 1 this shape.
            life: how much of its small motions shows; 0 is the first picture of ``rest``.
        """
        return self._draw(index, pose(self._seed, index).part(life), shape, lift * life, share)

    def rest(self, index: int, length: int) -> Pixels:
        """Draw picture ``index`` of a silent loop of ``length`` pictures."""
        return self._draw(index, pose(self._seed, index, length), REST, 0.0, 0.0)

    def _draw(self, index: int, where: Pose, shape: MouthShape, lift: float, share: float) -> Pixels:
        loop = self._face.loop
        number = loop[index % len(loop)]
        picture = self._face.frames[number].copy()
        if share > 0:
            if number != self._at:
                self._at, self._mouth = number, self._measured(number)
            self._mouth.draw(picture, shape, share)
        if len(loop) > 1:
            return picture
        if where.lids > 0:
            for lid in self._lids:
                lid.close(picture, where.lids)
        return self._sway.move(picture, where, lift)


def _with_a_mouth(path: str) -> Face:
    face = load(Path(path))
    for marks in face.landmarks:
        corners, pupils = marks.lips[0, [0, -1]], marks.eyes.mean((1, 2))
        if min(float(np.hypot(*(a - b))) for a, b in (corners, pupils)) < LEAST:
            raise ConfigError(f"{path}: its landmarks mark no mouth and eyes; import it again: avatard faces import")
    return face
