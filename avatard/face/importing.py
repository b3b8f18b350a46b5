"""From a picture or a film to a face bundle: what ``avatard faces import`` does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.errors import ConfigError
from avatard.api.flow import FPS, Pixels
from avatard.face import features
from avatard.face.bundle import MOST_FRAMES, MOST_PIXELS, Box, save
from avatard.face.detect import finder, quiet
from avatard.face.landmarks import Landmarks

MOST_BYTES = 2_000_000_000
MOST_SECONDS = 600.0
MOST_AREA = 120_000_000
"""Pixels of a picture."""
LEAST_FACE = 48
"""Pixels: a narrower face shows no lips."""
ROOM, HEADROOM = 2.35, 0.68
"""The square that is kept, and how far it begins above the face; in sides of the square around eyes and lips."""
SMOOTH = 2.0
"""Standard deviation of the smoothing of boxes over a film, pictures; landmarks half of it."""
SEEN = 0.7
"""Of a film's pictures must show the face."""

Progress = Callable[[int, int], None]
"""Is told how many pictures are done, and of how many."""


def import_face(
    source: Path, target: Path, box: Box | None = None, mouth: Box | None = None,
    progress: Progress = lambda done, count: None, network: Path | None = None,
) -> tuple[str, Landmarks]:  # fmt: skip
    """Find the face in a picture or film and write its bundle; return what found it, and its landmarks in the source.

    Args:
        source: a picture, or a film of which the first four seconds serve.
        target: the bundle.
        box: where the face is, forehead to chin; then nothing is detected.
        mouth: around the lips, where they were found wrongly.
        progress: is told how far it is.
        network: YuNet's file, where it was pulled.

    Raises:
        ConfigError: there is nothing to import in it, or it cannot be written; says why and what to do.
    """
    frames = _pictures(source)
    boxes, marks, by = _found(source, frames, box, mouth, progress, network)
    left, top, side = _square(frames[0], np.array(boxes, np.float64).mean(0))
    scale = min(1.0, MOST_PIXELS / side)
    size = round(side * scale)
    own = [_cut(frame, left, top, side, size) for frame in frames]
    landmarks = [m.moved(size / side, (-left * size / side, -top * size / side)) for m in marks]
    save(target, own, [_within(features.box_of(m), size) for m in landmarks], landmarks)
    return by, marks[0]


def _within(box: Box, size: int) -> Box:
    x, y, w, h = box
    left, top = max(0, x), max(0, y)
    return left, top, min(size, x + w) - left, min(size, y + h) - top


def _cut(frame: Pixels, left: int, top: int, side: int, size: int) -> Pixels:
    import cv2

    part = frame[top : top + side, left : left + side]
    return np.ascontiguousarray(cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _square(frame: Pixels, box: NDArray[np.float64]) -> tuple[int, int, int]:
    """Left, top and side of the head's square within the picture."""
    height, width = frame.shape[:2]
    x, y, face = features.square((box[0], box[1], box[2], box[3]))
    side = min(height, width, round(ROOM * face))
    left = round(min(max(0.0, x + face / 2 - side / 2), width - side))
    top = round(min(max(0.0, y - HEADROOM * face * side / (ROOM * face)), height - side))
    return left, top, side


def _pictures(source: Path) -> list[Pixels]:
    """The picture, or the film's first seconds at 25 pictures a second."""
    import cv2

    try:
        count = source.stat().st_size
        if count > MOST_BYTES:
            raise ConfigError(f"{source}: is {count / 1e9:.1f} GB, at most {MOST_BYTES / 1e9:.0f} GB are read; {CUT}")
        with source.open("rb") as file:
            data = np.frombuffer(file.read(200_000_000), np.uint8)
    except OSError as err:
        raise ConfigError(f"{source}: cannot be read: {err.strerror or err}") from err
    if not len(data):
        raise ConfigError(f"{source}: is empty")
    try:
        with quiet(cv2):
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
            frames = [np.asarray(picture, np.uint8)] if picture is not None else list(_film(cv2, source))
    except cv2.error as err:
        raise ConfigError(f"{source}: cannot be decoded: {err.err}") from err
    if not frames:
        raise ConfigError(f"{source}: is neither a picture nor a film that can be decoded; JPEG, PNG and MP4 can")
    if frames[0].shape[0] * frames[0].shape[1] > MOST_AREA:
        raise ConfigError(f"{source}: has more than {MOST_AREA // 1_000_000} million pixels; make it smaller first")
    return frames


CUT = "cut out the seconds that you want first, such as: ffmpeg -i FILE -t 4 short.mp4"


def _film(cv2: Any, source: Path) -> Iterator[Pixels]:
    # Its decoder would write to standard error what the caller says better; it looks here once.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    film = cv2.VideoCapture(str(source))
    try:
        rate = film.get(cv2.CAP_PROP_FPS) or FPS
        seconds = film.get(cv2.CAP_PROP_FRAME_COUNT) / rate
        if seconds > MOST_SECONDS:
            limit = MOST_SECONDS / 60
            raise ConfigError(f"{source}: is {seconds / 60:.0f} minutes long, at most {limit:.0f} are read; {CUT}")
        number = taken = 0
        while taken < MOST_FRAMES:
            good, frame = film.read()
            if not good:
                return
            while taken < MOST_FRAMES and taken * rate / FPS < number + 1:
                yield np.asarray(frame, np.uint8)
                taken += 1
            number += 1
    finally:
        film.release()


def _found(
    source: Path, frames: list[Pixels], box: Box | None, mouth: Box | None, progress: Progress, network: Path | None
) -> tuple[list[Box], list[Landmarks], str]:
    """The face's box and landmarks in every picture, smoothed, and what found them."""
    known: list[Landmarks | None]
    if box is not None:
        _check(source, frames[0], box)
        by, boxes, known = "--box", [box] * len(frames), [None] * len(frames)
    else:
        by, boxes, known = _followed(source, frames, progress, network)
    marks = []
    for number, (frame, own, mesh) in enumerate(zip(frames, boxes, known, strict=True)):
        marks.append(mesh if mesh is not None and mouth is None else features.find(frame, own, mouth))
        progress(len(frames) + number + 1, 2 * len(frames))
    lines = (_smoothed(np.stack([getattr(m, key) for m in marks]), SMOOTH / 2) for key in ("lips", "eyes", "oval"))
    return boxes, [Landmarks(*parts) for parts in zip(*lines, strict=True)], by


SMALL = f"at least {LEAST_FACE} are needed, 150 look well"


def _check(source: Path, frame: Pixels, box: Box) -> None:
    height, width = frame.shape[:2]
    x, y, w, h = box
    if x < 0 or y < 0 or x + w > width or y + h > height:
        raise ConfigError(f"{source}: the box {x},{y},{w},{h} is not within its {width} x {height} pixels")
    if min(w, h) < LEAST_FACE:
        raise ConfigError(f"{source}: the face is {w} x {h} pixels; {SMALL}")


def _followed(
    source: Path, frames: list[Pixels], progress: Progress, network: Path | None
) -> tuple[str, list[Box], list[Landmarks | None]]:
    by, find = finder(network)
    found: list[Box | None] = []
    known: list[Landmarks | None] = []
    for number, frame in enumerate(frames):
        box, mesh = _one(source, find(frame), next((b for b in reversed(found) if b is not None), None))
        found.append(box)
        known.append(mesh)
        progress(number + 1, 2 * len(frames))
    at = [number for number, box in enumerate(found) if box is not None]
    if not at:
        raise ConfigError(f"{source}: no face was found (by {by}); it must look at the camera; or use --box x,y,w,h")
    if len(at) < SEEN * len(frames):
        raise ConfigError(f"{source}: a face was found in {len(at)} of {len(frames)} pictures only; use a calmer film")
    rows = np.array([box for box in found if box is not None], np.float64)
    track = np.stack([np.interp(np.arange(len(frames)), at, rows[:, i]) for i in range(4)], -1)
    boxes: list[Box] = [(round(x), round(y), round(w), round(h)) for x, y, w, h in _smoothed(track, SMOOTH)]
    _check_size(source, boxes[0])
    return by, boxes, known


def _check_size(source: Path, box: Box) -> None:
    if box[2] < LEAST_FACE:
        raise ConfigError(f"{source}: the face is {box[2]} pixels wide; {SMALL}")


def _one(
    source: Path, faces: list[tuple[Box, Landmarks | None]], before: Box | None
) -> tuple[Box | None, Landmarks | None]:
    """The face among those found: the only one, or in a film the one nearest to where it was."""
    if not faces:
        return None, None
    if before is not None:
        return min(faces, key=lambda face: abs(face[0][0] - before[0]) + abs(face[0][1] - before[1]))
    if len(faces) > 1:
        places = "   ".join("--box {},{},{},{}".format(*box) for box, _ in faces)
        raise ConfigError(f"{source}: {len(faces)} faces were found; say which one: {places}")
    return faces[0]


def _smoothed(track: NDArray[Any], spread: float) -> NDArray[Any]:
    """A track over time, (n, …), smoothed by a Gaussian; the ends stay."""
    if len(track) < 3:
        return track
    gap = np.arange(len(track))[:, None] - np.arange(len(track))[None, :]
    weights = np.exp(-0.5 * (gap / spread) ** 2)
    weights /= weights.sum(1, keepdims=True)
    return np.asarray(np.tensordot(weights, track, 1), track.dtype)
