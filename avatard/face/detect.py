"""Finding faces in a picture, with what is installed: mediapipe, YuNet, scikit-image, or an OpenCV that has cascades.

Needed at import alone; nothing is detected while the daemon runs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
YUNET = "face-detector-yunet"
"""Its name in the catalogue."""
SURE = 0.8
"""Score from which YuNet's finds are faces."""
LIKE = 0.6
"""Squares smaller than this share of the largest one's side are people in the background, or no faces."""

Finder = Callable[[Pixels], list[tuple[Box, Landmarks | None]]]
"""From a picture to each face's box, forehead to chin, and its landmarks where the finder knows them."""

Square = tuple[float, float, float]
"""Left, top and side of what a cascade finds: from the hairline to below the lips."""


def finder(network: Path | None = None) -> tuple[str, Finder]:
    """The best finder that is installed, and its name; ``network`` is YuNet's file, where it was pulled.

    Raises:
        ConfigError: none is installed, or the file is none that OpenCV takes.
    """
    if _has_mediapipe():
        return "mediapipe", _by_mediapipe
    if network is not None:
        return "YuNet", _yunet(network)
    if importlib.util.find_spec("skimage") is not None:
        return "scikit-image", _by_skimage
    import cv2

    if hasattr(cv2, "CascadeClassifier") and _haar(cv2).is_file():
        return "OpenCV", _by_opencv
    raise ConfigError(
        f"nothing that finds faces is installed: pip install 'avatard[faces]', or avatard models pull {YUNET}, "
        "or say where it is: --box x,y,w,h"
    )


def _has_mediapipe() -> bool:
    """Releases with their models inside (0.10) still have this module; later ones do not."""
    try:
        return importlib.util.find_spec("mediapipe.python.solutions.face_mesh") is not None
    except ModuleNotFoundError:
        return False


@contextmanager
def quiet(cv2: Any) -> Iterator[None]:
    """OpenCV's own words about a broken file stay unsaid; its name for that moved in OpenCV 5."""
    set_level = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel
    level = set_level(0)
    try:
        yield
    finally:
        set_level(level)


def _yunet(path: Path) -> Finder:
    """YuNet in OpenCV; its boxes go from the forehead to the chin, as in the pictures that it learnt from (WIDER FACE).

    Raises:
        ConfigError: the file is none that OpenCV takes.
    """
    import cv2 as any_cv2

    cv2: Any = any_cv2

    def find(picture: Pixels) -> list[tuple[Box, Landmarks | None]]:
        small, scale = _shrunk(picture)
        # Always of one size, which is the network's own: OpenCV reads past the end of what another one gives.
        square = np.zeros((LOOK, LOOK, 3), np.uint8)
        square[: small.shape[0], : small.shape[1]] = small
        _, rows = detector.detect(square)
        boxes = sorted((rows[:, :4] * scale).round().astype(int).tolist() if rows is not None else [],
                       key=lambda box: -box[2])  # fmt: skip
        return [((x, y, w, h), None) for x, y, w, h in boxes if w >= LIKE * boxes[0][2]]

    try:
        with quiet(cv2):
            detector = cv2.FaceDetectorYN.create(str(path), "", (LOOK, LOOK), SURE)
            find(np.zeros((LOOK, LOOK, 3), np.uint8))
    except cv2.error as err:
        raise ConfigError(f"{path}: OpenCV cannot use it to find faces ({' '.join(err.err.split())[:80]}); get it "
                          f"again: avatard models pull {YUNET} --replace") from err  # fmt: skip
    return find


def _by_skimage(picture: Pixels) -> list[tuple[Box, Landmarks | None]]:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    small, scale = _shrunk(picture)
    least, most = max(24, int(SMALLEST * min(small.shape[:2]))), min(small.shape[:2])
    file: Any = lbp_frontal_face_cascade_filename
    cascade = Cascade(file())

    def squares(pixels: Pixels) -> list[Square]:
        found = cascade.detect_multi_scale(
            img=np.ascontiguousarray(pixels[..., ::-1]), scale_factor=1.15, step_ratio=1, min_size=(least, least),
            max_size=(most, most),
        )  # fmt: skip
        return [(f["c"], f["r"], f["width"]) for f in found]

    # What is a face is one in the mirror too; folds and shadows seldom are.
    width = small.shape[1]
    mirrored = [(width - x - side, y, side) for x, y, side in squares(small[:, ::-1])]
    seen = squares(small)
    sure = [square for square in seen if any(_same(square, other) for other in mirrored)]
    return _faces(sure or seen, scale)


def _haar(cv2: Any) -> Path:
    return Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"


def _by_opencv(picture: Pixels) -> list[tuple[Box, Landmarks | None]]:
    import cv2 as any_cv2

    cv2: Any = any_cv2
    small, scale = _shrunk(picture)
    least = max(24, int(SMALLEST * min(small.shape[:2])))
    cascade = cv2.CascadeClassifier(str(_haar(cv2)))
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


def _same(one: Square, other: Square) -> bool:
    (x, y, side), (a, b, s) = one, other
    return max(abs(x + side / 2 - a - s / 2), abs(y + side / 2 - b - s / 2)) < 0.6 * max(side, s)


def _faces(squares: Sequence[Square], scale: float) -> list[tuple[Box, Landmarks | None]]:
    """Cascades' squares as boxes, the largest first, each face once."""
    kept: list[Square] = []
    for square in sorted(squares, key=lambda square: -square[2]):
        if not any(_same(square, other) for other in kept) and (not kept or square[2] >= LIKE * kept[0][2]):
            kept.append(square)
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
