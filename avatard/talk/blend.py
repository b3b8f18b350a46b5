"""Pictures that go over into each other, so that no step is seen as a jump."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import cast

import numpy as np

from avatard.api.flow import Pixels, VideoFrame

FADE = 5
"""Pictures in which one renderer's go over into the next one's."""


def mixed(a: Pixels, b: Pixels, share: float) -> Pixels:
    """Both pictures, ``share`` (0-1) of the second."""
    part = round(share * 256)
    both = np.multiply(a, np.uint16(256 - part), dtype=np.uint16)
    both += np.multiply(b, np.uint16(part), dtype=np.uint16)
    both >>= 8
    return cast("Pixels", both.astype(np.uint8))


def halfway(a: Pixels, b: Pixels) -> Pixels:
    """The mean of both pictures."""
    return (a & b) + ((a ^ b) >> 1)


def fitted(picture: Pixels, height: int, width: int) -> Pixels:
    """The picture in another size."""
    if picture.shape[:2] == (height, width):
        return picture
    import cv2  # whoever draws pictures has it; nobody else comes here

    return cast("Pixels", cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


class Blend:
    """The pictures of an answer as they are shown: of one size, and without a jump where another renderer begins."""

    def __init__(self) -> None:
        """Nothing was shown yet."""
        self.first: Pixels | None = None
        """The answer's first picture."""
        self.last: Pixels | None = None
        """What is seen."""
        self._from: Pixels | None = None
        self._left = self._length = 0

    def begin(self, length: int = FADE) -> None:
        """Go over from what is seen to what comes, in so many pictures."""
        self._from, self._left, self._length = self.last, length, length

    def show(self, picture: Pixels | None) -> Pixels | None:
        """Return the next picture as it is shown; None repeats the last."""
        if picture is None:
            return None
        if self.last is None:
            self.first = self.last = picture
            return picture
        picture = fitted(picture, *self.last.shape[:2])
        if self._left and self._from is not None:
            picture = mixed(self._from, picture, 1 - self._left / (self._length + 1))
            self._left -= 1
        self.last = picture
        return picture


async def between(frames: AsyncIterator[VideoFrame]) -> AsyncGenerator[VideoFrame, None]:
    """Give each single frame without a picture what lies halfway between its neighbours."""
    last: Pixels | None = None
    held: VideoFrame | None = None
    async with aclosing(cast("AsyncGenerator[VideoFrame, None]", frames)):
        async for frame in frames:
            if frame.pixels is None and held is None and last is not None:
                held = frame
                continue
            if held is not None:
                same = frame.pixels is not None and last is not None and frame.pixels.shape == last.shape
                yield replace(held, pixels=halfway(last, frame.pixels)) if same else held  # type: ignore[arg-type]
                held = None
            yield frame
            last = frame.pixels
    if held is not None:
        yield held
