"""Pictures as JPEG, on a thread of their own."""

from __future__ import annotations

from pathlib import Path

from avatard.api.flow import Pixels
from avatard.face import bundle

MEGABYTES = 4.0
"""What encoding takes beside OpenCV, which the renderer has loaded."""


class Pictures:
    """The engine behind ``context.model``."""

    def __init__(self, quality: int) -> None:
        """Encode with this quality, 0–100."""
        import cv2

        self._cv2 = cv2
        self._options = [cv2.IMWRITE_JPEG_QUALITY, quality]

    def jpeg(self, pixels: Pixels) -> bytes:
        """A JPEG file of the picture."""
        return bytes(self._cv2.imencode(".jpg", pixels, self._options)[1])

    def png(self, picture: Pixels | Path, side: int) -> bytes:
        """A PNG file of the picture, or of a face's bundle, ``side`` pixels high.

        Raises:
            ConfigError, NotReady: the bundle cannot be read.
        """
        pixels = bundle.load(picture).frames[0] if isinstance(picture, Path) else picture
        height, width = pixels.shape[:2]
        size = (max(1, round(width * side / height)), side)
        small = self._cv2.resize(pixels, size, interpolation=self._cv2.INTER_AREA)
        return bytes(self._cv2.imencode(".png", small)[1])
