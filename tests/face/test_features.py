"""Eyes, mouth and chin of a real photograph, against MediaPipe's mesh of it; turned, grey, dark, with shut lips."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from portraits import BOX, CHIN, CORNERS, EYES, MOUTH, astronaut

from avatard.api.flow import Pixels
from avatard.face.features import box_of, face_box, find, square
from avatard.face.landmarks import Landmarks

BETWEEN = 44.0
"""Pixels between the pupils."""


def away(found: np.ndarray, wanted: tuple[float, float]) -> float:
    """Distance in units of that between the eyes."""
    return float(np.hypot(*(found - np.array(wanted)))) / BETWEEN


def mouth(marks: Landmarks) -> np.ndarray:
    return np.asarray(marks.lips[1:3, 10].mean(0))


def test_the_features_are_where_the_mesh_has_them() -> None:
    marks = find(astronaut(), BOX)
    for eye, wanted in zip(marks.eyes, EYES, strict=True):
        assert away(eye.mean((0, 1)), wanted) < 0.12
    for corner, wanted in zip(marks.lips[:, [0, -1]].mean(0), CORNERS, strict=True):
        assert away(corner, wanted) < 0.12
    assert away(mouth(marks), MOUTH) < 0.08
    assert abs(marks.chin[1] - CHIN[1]) / BETWEEN < 0.12
    gap = marks.lips[2, 10, 1] - marks.lips[1, 10, 1]
    assert 0.10 < gap / BETWEEN < 0.20
    order = marks.lips[:, 5:16, 1]
    assert (np.diff(order, axis=0) > 0).all()


def test_a_rough_box_finds_the_same() -> None:
    x, y, w, h = BOX
    for dx, dy, more in ((6, 4, 0), (-6, -5, 4), (0, 0, 12), (0, 0, -10)):
        marks = find(astronaut(), (x + dx - more // 2, y + dy - more // 2, w + more, h + more))
        assert away(mouth(marks), MOUTH) < 0.12, (dx, dy, more)


def changed(name: str) -> tuple[Pixels, np.ndarray]:
    """The photograph otherwise, and the matrix by which its places go there."""
    pixels = astronaut()
    straight = np.array([[1, 0, 0], [0, 1, 0]], np.float64)
    if name == "turned":
        matrix = cv2.getRotationMatrix2D((221, 120), 12, 1.0)
        return cv2.warpAffine(pixels, matrix, (512, 512), flags=cv2.INTER_CUBIC), matrix
    if name == "mirrored":
        return np.ascontiguousarray(pixels[:, ::-1]), np.array([[-1, 0, 511], [0, 1, 0]], np.float64)
    if name == "dark":
        return (pixels * 0.35).astype(np.uint8), straight
    if name == "larger":
        return cv2.resize(pixels, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC), straight * 3
    if name == "grey":
        return cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), straight
    noise = np.random.default_rng(5).normal(0, 6, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8), straight


@pytest.mark.parametrize("name", ["turned", "mirrored", "dark", "larger", "noisy", "grey"])
def test_other_photographs_of_it(name: str) -> None:
    pixels, matrix = changed(name)
    x, y, w, h = BOX
    middle = matrix @ (x + w / 2, y + h / 2, 1)
    scale = float(np.hypot(*matrix[:, 0]))
    box = (round(middle[0] - w * scale / 2), round(middle[1] - h * scale / 2), round(w * scale), round(h * scale))
    marks = find(pixels, box)
    wanted = matrix @ (*MOUTH, 1)
    assert np.hypot(*(mouth(marks) - wanted)) / BETWEEN / scale < 0.12
    across = marks.lips[:, -1].mean(0) - marks.lips[:, 0].mean(0)
    assert 0.8 < np.hypot(*across) / BETWEEN / scale < 1.15 and across[0] > 0


def test_a_hint_moves_the_mouth_where_a_person_says() -> None:
    pixels = np.full((300, 300, 3), (150, 170, 210), np.uint8)
    for eye in (110, 190):
        cv2.circle(pixels, (eye, 110), 8, (40, 40, 40), -1)
    marks = find(pixels, (70, 50, 160, 200), (120, 195, 70, 24))
    assert np.abs(marks.lips[..., 0].min() - 120) < 12 and np.abs(marks.lips[..., 0].max() - 190) < 12
    assert marks.lips[..., 1].min() > 190 and marks.lips[..., 1].max() < 228


def test_shut_lips_have_a_seam_and_no_gap() -> None:
    """A drawn face: lips of one colour and the line where they meet."""
    pixels = np.full((400, 400, 3), (150, 175, 215), np.uint8)
    for eye in (150, 250):
        cv2.ellipse(pixels, (eye, 150), (20, 9), 0, 0, 360, (235, 235, 235), -1)
        cv2.circle(pixels, (eye, 150), 8, (40, 40, 40), -1)
    cv2.ellipse(pixels, (200, 255), (44, 17), 0, 0, 360, (100, 90, 180), -1)
    cv2.line(pixels, (158, 252), (242, 252), (50, 40, 90), 2)
    marks = find(cv2.GaussianBlur(pixels, (0, 0), 1.2), (100, 70, 200, 250))
    assert np.array_equal(marks.lips[1], marks.lips[2])
    assert abs(marks.lips[1, 10, 1] - 252) < 4
    assert abs(marks.lips[0, 10, 1] - 239) < 8 and abs(marks.lips[3, 10, 1] - 272) < 8


def test_the_same_picture_gives_the_same_landmarks() -> None:
    first, second = find(astronaut(), BOX), find(astronaut(), BOX)
    assert np.array_equal(first.lips, second.lips) and np.array_equal(first.eyes, second.eyes)


def test_boxes_and_squares_are_each_others_reverse() -> None:
    left, top, side = square(face_box(100, 50, 200))
    assert abs(left - 100) < 2 and abs(top - 50) < 2 and abs(side - 200) < 2
    marks = find(astronaut(), BOX)
    x, y, w, h = box_of(marks)
    assert x <= marks.oval[:, 0].min() and x + w >= marks.oval[:, 0].max() and y + h >= marks.chin[1]
