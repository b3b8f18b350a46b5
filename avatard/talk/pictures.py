"""The pictures of a sentence as they are kept: each as what has changed in it, JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Pixels

TILE = 16
"""Pixels: a picture is compared, and kept, in squares of this side."""
SAME = 3
"""Levels of 255 by which a square may differ and is still the same: less than JPEG's own error."""
QUALITY = 80
"""Of the JPEG pictures, whose colours are at full resolution. Most of one of 512 x 512 stands still; what has changed
takes some 13 kB."""
ACROSS = 16
"""Squares beside each other in the JPEG of what has changed: narrow ones take longer."""
MOST = 0.7
"""Share of the squares; where more have changed the picture is kept whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """One picture."""

    data: bytes
    """JPEG: the picture, or its changed squares in rows of ``ACROSS``; empty where none has changed."""
    changed: NDArray[np.uint16] | None
    """Which squares those are, row by row; None: the picture is whole."""

    @property
    def bytes(self) -> int:
        """What it takes."""
        return len(self.data) + (0 if self.changed is None else self.changed.nbytes)


class Packer:
    """Packs one picture after the other."""

    def __init__(self) -> None:
        """Begin with a whole picture."""
        self._seen: Pixels | None = None
        """What whoever unpacks sees, but for JPEG's error."""

    def pack(self, picture: Pixels) -> Packed:
        """Pack the next picture."""
        import cv2  # whoever draws pictures has it

        seen = self._seen
        if seen is None or seen.shape != picture.shape or not _fits(picture):
            return self._whole(cv2, picture)
        height, width = (side // TILE for side in picture.shape[:2])
        off = np.asarray(cv2.absdiff(picture, seen), np.uint8).reshape(height, TILE, -1).max(axis=1)
        changed = np.flatnonzero(off.reshape(height * width, -1).max(axis=1) > SAME).astype(np.uint16)
        if len(changed) > MOST * height * width:
            return self._whole(cv2, picture)
        if not len(changed):
            return Packed(b"", changed)
        rows, columns = np.divmod(changed, width)
        squares = _squares(picture)[rows, columns]
        _squares(seen)[rows, columns] = squares
        return Packed(_jpeg(cv2, _sheet(squares)), changed)

    def _whole(self, cv2: Any, picture: Pixels) -> Packed:
        self._seen = picture.copy()
        return Packed(_jpeg(cv2, picture), None)


class Unpacker:
    """Unpacks what a ``Packer`` has packed, in the same order."""

    def __init__(self) -> None:
        """Nothing was unpacked yet."""
        self._last: Pixels | None = None

    def unpack(self, packed: Packed) -> Pixels:
        """Unpack the next picture."""
        import cv2

        if packed.changed is None or self._last is None:
            self._last = _pixels(cv2, packed.data)
        elif packed.data:
            picture = self._last.copy()
            rows, columns = np.divmod(packed.changed, picture.shape[1] // TILE)
            squares = _squares(_pixels(cv2, packed.data)).reshape(-1, TILE, TILE, 3)
            _squares(picture)[rows, columns] = squares[: len(rows)]
            self._last = picture
        return self._last


def _fits(picture: Pixels) -> bool:
    return picture.ndim == 3 and all(side % TILE == 0 for side in picture.shape[:2])


def _squares(picture: Pixels) -> Pixels:
    """The picture as rows and columns of squares; a view."""
    height, width = (side // TILE for side in picture.shape[:2])
    return picture.reshape(height, TILE, width, TILE, 3).transpose(0, 2, 1, 3, 4)


def _sheet(squares: Pixels) -> Pixels:
    """Lay squares in rows; the last one fills the last row."""
    rows = -(-len(squares) // ACROSS)
    filled = squares[np.minimum(np.arange(rows * ACROSS), len(squares) - 1)]
    filled = filled.reshape(rows, ACROSS, TILE, TILE, 3).transpose(0, 2, 1, 3, 4)
    return cast("Pixels", filled.reshape(rows * TILE, ACROSS * TILE, 3))


def _jpeg(cv2: Any, picture: Pixels) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
               cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]  # fmt: skip
    return bytes(cv2.imencode(".jpg", picture, options)[1])


def _pixels(cv2: Any, data: bytes) -> Pixels:
    return cast("Pixels", cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
