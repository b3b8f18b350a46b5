"""Finding faces in a picture, with what is installed: mediapipe, scikit-image, or an OpenCV that has cascades.

Needed at import alone; nothing is detected while the daemon runs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.errors import ConfigError
from avatard.api.flow import Pixels
from avatard.face import features
from avatard.face.bundle import Box
from avatard.face.landmarks import LID_POINTS, LIP_POINTS, OVAL_POINTS, Landmarks, Points

LOOK = 640
"""Pixels: larger pictures are looked at in this size."""
SMALLEST = 0.08
"""Of the picture's shorter side: a smaller square is no face that anybody would import."""
LIKE = 0.5
"""Squares smaller than this share of the largest one's side are people in the background, or no faces."""

Finder = Callable[[Pixels], list[tuple[Box, Landmarks | None]]]
"""From a picture to each face's box, forehead to chin, and its landmarks where the finder knows them."""


def finder() -> tuple[str, Finder]:
    """The best finder that is installed, and its name.

    Raises:
        ConfigError: none is installed.
    """
    if _has_mediapipe():
        return "mediapipe", _by_mediapipe
    if importlib.util.find_spec("skimage") is not None:
        return "scikit-image", _by_skimage
    import cv2

    if hasattr(cv2, "CascadeClassifier") and _haar(cv2).is_file():
        return "OpenCV", _by_opencv
    raise ConfigError(
        "nothing that finds faces is installed: pip install 'avatard[faces]', or say where it is: --box x,y,w,h"
    )


def _has_mediapipe() -> bool:
    """Releases with their models inside (0.10) still have this module; later ones do not."""
    try:
        return importlib.util.find_spec("mediapipe.python.solutions.face_mesh") is not None
    except ModuleNotFoundError:
        return False


def _by_skimage(picture: Pixels) -> list[tuple[Box, Landmarks | None]]:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    small, scale = _shrunk(picture)
    least = max(24, int(SMALLEST * min(small.shape[:2])))
    most = min(small.shape[:2])
    found = Cascade(lbp_frontal_face_cascade_filename()).detect_multi_scale(
        img=np.ascontiguousarray(small[..., ::-1]), scale_factor=1.15, step_ratio=1, min_size=(least, least),
        max_size=(most, most),
    )  # fmt: skip
    return _faces([(f["c"], f["r"], f["width"]) for f in found], scale)


def _haar(cv2: Any) -> Path:
    return Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"


def _by_opencv(picture: Pixels) -> list[tuple[Box, Landmarks | None]]:
    import cv2

    small, scale = _shrunk(picture)
    least = max(24, int(SMALLEST * min(small.shape[:2])))
    cascade: Any = cv2.CascadeClassifier(str(_haar(cv2)))
    found = cascade.detectMultiScale(
        cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), scaleFactor=1.1, minNeighbors=6, minSize=(least, least)
    )
    return _faces([(x, y, w) for x, y, w, _ in found], scale)


def _shrunk(picture: Pixels) -> tuple[Pixels, float]:
    """The picture at the size at which it is looked at, and by how much it was larger."""
    import cv2

    scale = max(1.0, max(picture.shape[:2]) / LOOK)
    size = (round(picture.shape[1] / scale), round(picture.shape[0] / scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _faces(squares: Sequence[tuple[float, float, float]], scale: float) -> list[tuple[Box, Landmarks | None]]:
    """Cascades' squares (hairline to below the lips) as boxes, the largest first, each face once."""
    kept: list[tuple[float, float, float]] = []
    for x, y, side in sorted(squares, key=lambda square: -square[2]):
        apart = all(max(abs(x + side / 2 - a - s / 2), abs(y + side / 2 - b - s / 2)) > 0.6 * s for a, b, s in kept)
        if apart and (not kept or side >= LIKE * kept[0][2]):
            kept.append((x, y, side))
    return [(features.face_box(x * scale, y * scale, side * scale), None) for x, y, side in kept]


UPPER_OUTER, UPPER_INNER = "61 185 40 39 37 0 267 269 270 409 291", "78 191 80 81 82 13 312 311 310 415 308"
LOWER_INNER, LOWER_OUTER = "78 95 88 178 87 14 317 402 318 324 308", "61 146 91 181 84 17 314 405 321 375 291"
LIDS = (
    ("33 246 161 160 159 158 157 173 133", "33 7 163 144 145 153 154 155 133"),
    ("362 398 384 385 386 387 388 466 263", "362 382 381 380 374 373 390 249 263"),
)
RIGHT_SIDE = "10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 400 377 152"
LEFT_SIDE = "152 148 176 149 150 136 172 58 132 93 234 127 162 21 54 103 67 109 10"
"""Points of MediaPipe's face mesh along each feature, from the picture's left to its right, and around the face."""


def _by_mediapipe(picture: Pixels) -> list[tuple[Box, Landmarks | None]]:
    import mediapipe

    height, width = picture.shape[:2]
    with mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, max_num_faces=5
    ) as mesh:
        found = mesh.process(np.ascontiguousarray(picture[..., ::-1])).multi_face_landmarks or []
    faces = []
    for face in found:
        points = np.array([(p.x * width - 0.5, p.y * height - 0.5) for p in face.landmark], np.float32)
        marks = _of_mesh(points)
        faces.append((features.box_of(marks), marks))
    return sorted(faces, key=lambda face: -face[0][2])


def _of_mesh(points: Points) -> Landmarks:
    def line(numbers: str, count: int) -> Points:
        own = points[[int(number) for number in numbers.split()]]
        at, own_at = np.linspace(0, 1, count), np.linspace(0, 1, len(own))
        return np.stack([np.interp(at, own_at, own[:, i]) for i in (0, 1)], -1).astype(np.float32)

    lips = np.stack([line(edge, LIP_POINTS) for edge in (UPPER_OUTER, UPPER_INNER, LOWER_INNER, LOWER_OUTER)])
    eyes = np.stack([np.stack([line(lid, LID_POINTS) for lid in eye]) for eye in LIDS])
    half = OVAL_POINTS // 2 + 1
    oval = np.concatenate([line(RIGHT_SIDE, half)[:-1], line(LEFT_SIDE, half)[:-1]])
    return Landmarks(lips, eyes, oval)
