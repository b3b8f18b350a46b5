"""A picture of a face bundle: the frame, what was found in it, and what a lip-sync network gets to see."""

from __future__ import annotations

import numpy as np

from avatard.api.flow import Pixels
from avatard.face.bundle import Face
from avatard.face.compose import Region, crop, mask

SIDE = 512
"""Pixels of each of the three pictures."""
LIP, INNER, LID, OVAL, BOX = (90, 90, 255), (255, 255, 120), (120, 255, 120), (255, 170, 80), (220, 220, 220)
"""BGR."""


def preview(face: Face) -> Pixels:
    """Draw the first frame, plain and with its landmarks, and the network's crop with what of it is laid back."""
    import cv2

    face = face.at(SIDE)
    plain, marks = face.frames[0], face.landmarks[0]
    drawn = plain.copy()
    x, y, w, h = face.boxes[0]
    cv2.rectangle(drawn, (x, y), (x + w - 1, y + h - 1), BOX, 1)
    lines = [(marks.oval, True, OVAL), *((lid, False, LID) for eye in marks.eyes for lid in eye)]
    lines += [(edge, False, colour) for edge, colour in zip(marks.lips, (LIP, INNER, INNER, LIP), strict=True)]
    for points, closed, colour in lines:
        # Sixteenths of a pixel, so that a line lies where it is.
        places = np.round(points * 16).astype(np.int32)
        cv2.polylines(drawn, [places], closed, colour, 1, cv2.LINE_AA, 4)
    region = Region.around(face.boxes[0], plain)
    seen = cv2.resize(crop(plain, region), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    part = cv2.resize(np.ascontiguousarray(mask(region.width, region.height)), (SIDE, SIDE))[..., None]
    network = (seen * (0.35 + 0.65 * part)).astype(np.uint8)
    return np.concatenate([plain, drawn, network], 1)
