"""The face's pictures, and the drawn mouth laid upon them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from avatard.api.flow import Pixels
from avatard.face.bundle import Face
from avatard.face.compose import Region, paste

LOOKS, SIDE = 4, 256
"""How many pictures a network's rounding is fitted to, and their size in pixels."""


class Canvas:
    """A face ready for a network that takes pictures of one size; on the thread that lays the mouths."""

    def __init__(self, face: Face, height: int, width: int) -> None:
        """Crop the face of each picture once.

        Args:
            face: at the size that is shown.
            height: of the network's picture.
            width: the same.
        """
        self._frames = face.frames
        self._regions = [Region.around(box, frame) for box, frame in zip(face.boxes, face.frames, strict=True)]
        import cv2

        self._crops = [
            np.asarray(cv2.resize(region.of(frame), (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
            for frame, region in zip(face.frames, self._regions, strict=True)
        ]
        self._shape = height // 2, width, 3

    def crops(self) -> list[bytes]:
        """Of each picture the face, as the network sees it: (H, W, 3) uint8 BGR."""
        return [crop.tobytes() for crop in self._crops]

    def lay(self, number: int, lower: bytes, share: float) -> Pixels:
        """Lay a lower half upon picture ``number``; ``share`` (0-1) of it is seen."""
        drawn = np.frombuffer(lower, np.uint8).reshape(self._shape)
        upper = self._crops[number][: -len(drawn)]
        return paste(self._frames[number], np.concatenate([upper, drawn]), self._regions[number], share)


def looks_of(face: Face) -> list[bytes]:
    """A few pictures of the face at one size: what a network's rounding is fitted to."""
    import cv2

    step = max(1, len(face.frames) // LOOKS)
    chosen = list(zip(face.boxes, face.frames, strict=True))[::step][:LOOKS]
    parts = (Region.around(box, frame).of(frame) for box, frame in chosen)
    return [
        np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8).tobytes() for part in parts
    ]


def there_and_back(loop: tuple[int, ...], length: int) -> Iterator[int]:
    """Numbers of pictures for a silent loop of ``length``: it goes out and comes back to where it began."""
    for at in range(length):
        yield loop[min(at, length - at) % len(loop)]
