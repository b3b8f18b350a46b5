"""The face's pictures, and the drawn mouth laid upon them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatard.api.flow import Pixels
from avatard.face.bundle import Face, load
from avatard.face.compose import Region, paste

LOOKS, SIDE = 4, 256
"""How many pictures a network's rounding is fitted to, and their size in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """A face ready for a network that takes pictures of one size."""

    face: Face
    """At the size that is shown."""
    regions: tuple[Region, ...]
    """Of each picture, what the network draws."""
    crops: tuple[Pixels, ...]
    """Of each picture, the region as the network sees it: (H, W, 3)."""


class Canvas:
    """Reads faces and lays mouths upon them, on a thread of its own; it keeps nothing."""

    def __init__(self, size: int) -> None:
        """Say the size that is shown, pixels."""
        self._size = size

    def read(self, path: str) -> Face:
        """Read a face.

        Raises:
            ConfigError: it is none, or damaged.
        """
        return load(Path(path)).at(self._size)

    def wear(self, face: Face, height: int, width: int) -> Worn:
        """Crop each picture once, to the size of the network's."""
        import cv2

        regions = tuple(Region.around(box, frame) for box, frame in zip(face.boxes, face.frames, strict=True))
        parts = (region.of(frame) for region, frame in zip(regions, face.frames, strict=True))
        crops = (cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR) for part in parts)
        return Worn(face, regions, tuple(np.asarray(crop, np.uint8) for crop in crops))

    def lay(self, worn: Worn, number: int, lower: bytes, share: float) -> Pixels:
        """Lay a lower half upon picture ``number``; ``share`` (0-1) of it is seen."""
        crop = worn.crops[number]
        height, width = crop.shape[:2]
        drawn = np.frombuffer(lower, np.uint8).reshape(height - height // 2, width, 3)
        whole = np.concatenate([crop[: height // 2], drawn])
        return paste(worn.face.frames[number], whole, worn.regions[number], share)


def looks_of(face: Face) -> list[bytes]:
    """A few pictures of the face at one size: what a network's rounding is fitted to."""
    import cv2

    step = max(1, len(face.frames) // LOOKS)
    chosen = list(zip(face.boxes, face.frames, strict=True))[::step][:LOOKS]
    parts = (Region.around(box, frame).of(frame) for box, frame in chosen)
    small = (cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for part in parts)
    return [np.asarray(look, np.uint8).tobytes() for look in small]


def there_and_back(loop: tuple[int, ...], length: int) -> Iterator[int]:
    """Numbers of pictures for a silent loop of ``length``: it goes out and comes back to where it began."""
    for at in range(length):
        yield loop[min(at, length - at) % len(loop)]
