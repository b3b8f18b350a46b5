"""Contact sheets: what was said, and frames of it, in one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatard.api.flow import Pixels

THUMB, GAP, TEXT = 196, 12, 62
"""Pixels: a frame's side, the space between, a caption's height."""
PAPER, INK, SOFT = (30, 24, 21), (240, 236, 232), (170, 160, 150)
"""BGR"""


@dataclass(frozen=True, slots=True)
class Row:
    """One turn."""

    heading: str
    text: str
    frames: list[Pixels]


def contact_sheet(rows: list[Row]) -> Pixels:
    """Draw the rows one under another; shape (height, width, 3), BGR."""
    import cv2

    columns = max((len(row.frames) for row in rows), default=1)
    width, step = columns * (THUMB + GAP) + GAP, THUMB + TEXT + GAP
    sheet: Pixels = np.full((len(rows) * step + GAP, width, 3), PAPER, np.uint8)
    for number, row in enumerate(rows):
        top = GAP + number * step
        longest = width // 10
        for line, (text, colour) in enumerate(((row.heading, SOFT), (row.text, INK))):
            plain = text.encode("ascii", "replace").decode()
            plain = plain if len(plain) <= longest else plain[: longest - 3] + "..."
            cv2.putText(sheet, plain, (GAP, top + 20 + 26 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, 1,
                        cv2.LINE_AA)  # fmt: skip
        for column, frame in enumerate(row.frames):
            left = GAP + column * (THUMB + GAP)
            thumb = cv2.resize(frame, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
            sheet[top + TEXT : top + TEXT + THUMB, left : left + THUMB] = thumb
    return sheet
