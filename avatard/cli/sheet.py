"""The demo's contact sheet, taken from the finished file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avatard.api.errors import StageFailed
from avatard.api.flow import FPS, Pixels
from avatard.api.news import TurnReport
from avatard.face.sheet import Row, contact_sheet

COLUMNS = 6


def write_sheet(video: Path, picture: Path, turns: list[TurnReport]) -> None:
    """Decode the video and write a row of frames for each turn.

    Raises:
        StageFailed: the video cannot be decoded.
    """
    import cv2

    rows: list[Row] = []
    wanted: set[int] = set()
    begin = 0
    for turn in turns:
        count = int(turn.frames["count"])
        wanted.update(begin + round((i + 0.5) * count / COLUMNS) for i in range(COLUMNS))
        begin += count
    frames = _frames(video, wanted)
    begin = 0
    for turn in turns:
        count = int(turn.frames["count"])
        own = [frame for at, frame in frames.items() if begin <= at < begin + count]
        rows.append(Row(f"you: {turn.heard or '(not understood)'}", f"avatard: {turn.reply}", own))
        begin += count
    cv2.imwrite(str(picture), contact_sheet(rows))


def write_strip(video: Path, picture: Path, text: str, count: int, rows: int = 2) -> None:
    """Decode the video and write pictures from all through it, in rows; ``count`` is how many it has.

    Raises:
        StageFailed: the video cannot be decoded.
    """
    import cv2

    several = min(count, COLUMNS * rows)
    frames = list(_frames(video, {int((i + 0.5) * count / several) for i in range(several)}).values())
    step = count / several / FPS
    strips = [
        Row(f"{at * step:.1f} - {(at + COLUMNS) * step:.1f} s", "" if at else text, frames[at : at + COLUMNS])
        for at in range(0, len(frames), COLUMNS)
    ]
    cv2.imwrite(str(picture), contact_sheet(strips))


def _frames(video: Path, wanted: set[int]) -> dict[int, Pixels]:
    import cv2

    capture = cv2.VideoCapture(str(video))
    frames: dict[int, Pixels] = {}
    index = 0
    while True:
        good, frame = capture.read()
        if not good:
            break
        if index in wanted:
            frames[index] = np.asarray(frame, np.uint8)
        index += 1
    capture.release()
    if not frames:
        raise StageFailed("sheet", "cv2", f"{video} has no picture in it")
    return frames
