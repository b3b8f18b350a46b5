"""Contact sheets: a row for each turn, pictures of any shape, captions that fit."""

from __future__ import annotations

import numpy as np
import pytest

from avatard.face.sheet import GAP, HEADING, MARGIN, PAPER, TEXT, THUMB, Row, contact_sheet


def picture(colour: tuple[int, int, int], height: int = 64, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def test_pictures_lie_in_rows_and_columns_with_round_corners() -> None:
    red, blue = (0, 0, 255), (255, 0, 0)
    sheet = contact_sheet([Row("you: a", "b", [picture(red), picture(blue, 64, 128)]), Row("c", "d", [picture(blue)])])
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] == 2 * MARGIN + 2 * THUMB + GAP
    top = MARGIN + HEADING + TEXT
    assert tuple(sheet[top + THUMB // 2, MARGIN + THUMB // 2]) == red
    assert tuple(sheet[top + THUMB // 2, MARGIN + THUMB + GAP + THUMB // 2]) == blue
    assert tuple(sheet[top, MARGIN]) == PAPER
    assert (sheet[top + THUMB : -MARGIN, MARGIN : MARGIN + THUMB] == blue).all(-1).sum() > 0.9 * THUMB**2


@pytest.mark.parametrize("text", ["", "x" * 5000, "…“Grüße” 你好", "two\nlines"])
def test_any_caption_stays_within_the_sheet(text: str) -> None:
    sheet = contact_sheet([Row(text, text, [picture((9, 9, 9))] * 2)])
    assert (sheet[:, -MARGIN // 2 :] == PAPER).all()
    assert (sheet[MARGIN : MARGIN + HEADING + TEXT] != PAPER).any() == bool(text)


def test_no_rows_still_make_a_picture() -> None:
    assert contact_sheet([]).ndim == 3
    assert contact_sheet([Row("you: a", "", [])]).ndim == 3
