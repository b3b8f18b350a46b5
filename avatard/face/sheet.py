"""Contact sheets: what was said, and pictures of it, on one sheet."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Pixels

THUMB, GAP, MARGIN = 216, 14, 30
"""Pixels: a picture's side, the space between two, the sheet's border."""
CORNER = 22
"""Radius of the pictures' corners, pixels."""
HEADING, TEXT, BETWEEN = 34, 40, 30
"""Heights of the two captions and the space below a row, pixels."""
MOST = 400
"""Letters of a caption that are looked at."""
PAPER, SOFT, INK = (38, 28, 24), (178, 168, 156), (246, 242, 238)
"""BGR: the sheet, the heading, the text."""


@dataclass(frozen=True, slots=True)
class Row:
    """One turn."""

    heading: str
    """What led to it; drawn smaller."""
    text: str
    """What was said."""
    frames: list[Pixels]
    """Pictures of it, of any size."""


def contact_sheet(rows: list[Row]) -> Pixels:
    """Draw the rows one under another; shape (height, width, 3), BGR."""
    import cv2

    columns = max((len(row.frames) for row in rows), default=0) or 1
    width = 2 * MARGIN + columns * (THUMB + GAP) - GAP
    step = HEADING + TEXT + THUMB + BETWEEN
    sheet: Pixels = np.full((2 * MARGIN - BETWEEN + max(1, len(rows)) * step, width, 3), PAPER, np.uint8)
    mask = _rounded(cv2)
    for number, row in enumerate(rows):
        top = MARGIN + number * step
        room = width - 2 * MARGIN
        _write(cv2, sheet, row.heading, top + HEADING - 14, room, 0.62, SOFT)
        _write(cv2, sheet, row.text, top + HEADING + TEXT - 16, room, 0.80, INK)
        top += HEADING + TEXT
        for column, frame in enumerate(row.frames):
            left = MARGIN + column * (THUMB + GAP)
            place = sheet[top : top + THUMB, left : left + THUMB]
            place[:] = place + (_square(cv2, frame) - place) * mask
    return sheet


def _square(cv2: Any, frame: Pixels) -> NDArray[np.float32]:
    """The picture's middle square at the thumbnail's size."""
    height, width = frame.shape[:2]
    side = min(height, width)
    middle = frame[(height - side) // 2 :, (width - side) // 2 :][:side, :side]
    return np.asarray(cv2.resize(middle, (THUMB, THUMB), interpolation=cv2.INTER_AREA), np.float32)


def _rounded(cv2: Any) -> NDArray[np.float32]:
    """A square with round corners, 0-1, shape (THUMB, THUMB, 1)."""
    big = 4
    side, radius = THUMB * big, CORNER * big
    mask = np.zeros((side, side), np.uint8)
    mask[radius:-radius, :] = 255
    mask[:, radius:-radius] = 255
    for x in (radius, side - radius - 1):
        for y in (radius, side - radius - 1):
            cv2.circle(mask, (x, y), radius, 255, -1)
    small = np.asarray(cv2.resize(mask, (THUMB, THUMB), interpolation=cv2.INTER_AREA), np.float32)
    return small[..., None] / np.float32(255)


def _write(
    cv2: Any, sheet: Pixels, text: str, base: int, room: int, size: float, colour: tuple[int, int, int]
) -> None:
    """Write a line, cut where it is too long. The letters that cv2 carries are ASCII."""
    font = cv2.FONT_HERSHEY_DUPLEX
    typed = text.translate(TYPED).encode("ascii", "replace").decode()
    lines = [typed] + [typed[:end].rstrip() + "..." for end in range(min(len(typed), MOST) - 1, 0, -1)]

    def too_wide(line: str) -> bool:
        return bool(cv2.getTextSize(line, font, size, 1)[0][0] > room)

    first = bisect(lines, False, key=lambda line: not too_wide(line)) if too_wide(typed) else 0
    if first < len(lines):
        cv2.putText(sheet, lines[first], (MARGIN, base), font, size, colour, 1, cv2.LINE_AA)


TYPED = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "°": " deg"})
"""What may be written otherwise instead of as a question mark."""
