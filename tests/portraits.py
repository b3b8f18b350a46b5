"""A photograph of a real face for tests: scikit-image's astronaut, which is in the public domain."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from conftest import missing

from avatard.api.flow import Pixels
from avatard.face.bundle import Face, load
from avatard.face.importing import import_face

EYES, MOUTH, CHIN = ((203.0, 100.6), (246.1, 103.0)), (222.7, 146.2), (220.8, 176.9)
"""Pupils, middle between the lips and chin in the photograph, as MediaPipe 0.10.21's face mesh finds them."""
CORNERS = ((201.3, 138.7), (244.5, 140.5))
BOX = (181, 72, 82, 108)
"""The face, forehead to chin."""


@lru_cache(1)
def astronaut() -> Pixels:
    """The photograph, BGR, 512 x 512; a smile that shows teeth."""
    if importlib.util.find_spec("skimage") is None:
        missing("scikit-image")
    from skimage.data import astronaut as picture

    return np.ascontiguousarray(picture()[..., ::-1])


def photograph(folder: Path, pixels: Pixels | None = None, name: str = "astronaut.png") -> Path:
    """Write it, or another picture, to a file."""
    path = folder / name
    assert cv2.imwrite(str(path), astronaut() if pixels is None else pixels)
    return path


def face(folder: Path, name: str = "astronaut") -> Face:
    """Its bundle, imported for real."""
    path = folder / f"{name}.face"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        import_face(photograph(folder), path)
    return load(path)
