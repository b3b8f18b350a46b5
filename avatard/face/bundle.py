"""The face bundle: pictures of a head and where its face is in each, found once at import.

One file, ``NAME.face``: a zip of ``face.json`` and a picture for each frame, every part under its SHA-256. It is
written beside its place and renamed, so that a file under its name is always whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.errors import ConfigError
from avatard.api.flow import Pixels
from avatard.face.landmarks import LID_POINTS, LIP_POINTS, OVAL_POINTS, Landmarks

FORMAT = 1
"""The format's version; a file of a newer one is refused."""
SUFFIX = ".face"
HEAD = "face.json"
MOST_FRAMES = 100
"""A loop's longest: 4 seconds, 8 when it has gone back and forth."""
MOST_PIXELS = 1024
"""A frame's largest side."""
SHAPES = {"lips": (4, LIP_POINTS, 2), "eyes": (2, 2, LID_POINTS, 2), "oval": (OVAL_POINTS, 2)}
AGAIN = "import it again with: avatard faces import"

Box = tuple[int, int, int, int]
"""Left, top, width, height, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face as it is used: nothing more is detected."""

    name: str
    frames: tuple[Pixels, ...]
    """Square pictures of the head, all of one size; one of a photograph, several of a film at 25 a second."""
    boxes: tuple[Box, ...]
    """The face in each frame, forehead to chin: what is cropped for a lip-sync network."""
    landmarks: tuple[Landmarks, ...]
    hash: str
    """SHA-256 of everything above: what caches go by."""

    @property
    def size(self) -> int:
        """A frame's side, pixels."""
        return len(self.frames[0])

    @property
    def loop(self) -> tuple[int, ...]:
        """The frames' numbers there and back, so that the end meets the start."""
        count = len(self.frames)
        return (*range(count), *range(count - 2, 0, -1))

    def at(self, size: int) -> Face:
        """The same face in frames of another size."""
        if size == self.size:
            return self
        import cv2

        scale = size / self.size
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LANCZOS4
        frames = tuple(
            np.asarray(cv2.resize(frame, (size, size), interpolation=way), np.uint8) for frame in self.frames
        )
        boxes = tuple(_scaled(box, scale) for box in self.boxes)
        landmarks = tuple(marks.moved(scale, (0, 0)) for marks in self.landmarks)
        return replace(self, frames=frames, boxes=boxes, landmarks=landmarks)


def _scaled(box: Box, scale: float) -> Box:
    left, top = round(box[0] * scale), round(box[1] * scale)
    return left, top, round((box[0] + box[2]) * scale) - left, round((box[1] + box[3]) * scale) - top


def folders() -> tuple[Path, ...]:
    """Where faces are looked for; the first is where they are written: systemd's state folder, or the user's."""
    user = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "avatard" / "faces"
    system = Path("/var/lib/avatard/faces")
    given = os.environ.get("STATE_DIRECTORY")
    return (Path(given) / "faces", user) if given else (user, system)


def names() -> dict[str, Path]:
    """Every face that can be had, by name."""
    found: dict[str, Path] = {}
    for folder in folders():
        if os.access(folder, os.R_OK | os.X_OK):
            for path in sorted(folder.glob(f"*{SUFFIX}")):
                found.setdefault(path.stem, path)
    return found


def find(name: str) -> Path:
    """The file of a face, given by its name or as a path.

    Raises:
        ConfigError: there is none; says which there are.
    """
    if "/" in name or name.endswith(SUFFIX):
        path = Path(name).expanduser()
        if path.is_file():
            return path
        raise ConfigError(f"{path}: there is no such face; make one with: avatard faces import PICTURE")
    known = names()
    if name in known:
        return known[name]
    others = f"there are {', '.join(known)}" if known else "there is none yet"
    raise ConfigError(f"no face {name!r}; {others}; make it with: avatard faces import PICTURE --name {name}")


def load(path: Path) -> Face:
    """Read a bundle and check all of it.

    Raises:
        ConfigError: it is no bundle, damaged, or of a newer format; names the file and what to do.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            head = _head(path, bundle)
            frames = tuple(_frame(path, bundle, part) for part in head["frames"])
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read: {err.strerror or err}") from err
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as err:
        raise ConfigError(f"{path}: is no face, or was cut short ({err}); {AGAIN}") from err
    except KeyError as err:
        raise ConfigError(f"{path}: a part is missing: {err}; {AGAIN}") from err
    if not frames or any(frame.shape != (len(frame), len(frames[0]), 3) for frame in frames):
        raise ConfigError(f"{path}: its pictures are not square and of one size; {AGAIN}")
    boxes, landmarks = _places(path, head, len(frames))
    return Face(path.stem, frames, boxes, landmarks, head["sha256"])


def _head(path: Path, bundle: zipfile.ZipFile) -> dict[str, Any]:
    try:
        head = json.loads(bundle.read(HEAD))
        version, digest = int(head["format"]), head["sha256"]
    except (ValueError, TypeError, KeyError) as err:
        raise ConfigError(f"{path}: {HEAD} in it cannot be understood ({err}); {AGAIN}") from err
    if version > FORMAT:
        raise ConfigError(
            f"{path}: is of format {version}, this avatard knows {FORMAT}: install a newer avatard, or {AGAIN}"
        )
    if digest != _digest(head):
        raise ConfigError(f"{path}: {HEAD} does not match its hash: the file is damaged; {AGAIN}")
    return dict(head)


def _digest(head: dict[str, Any]) -> str:
    """The head names each picture's hash, so this is the hash of it all."""
    plain = json.dumps({key: value for key, value in head.items() if key != "sha256"}, sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def _frame(path: Path, bundle: zipfile.ZipFile, part: dict[str, str]) -> Pixels:
    import cv2

    data = bundle.read(part["file"])
    if hashlib.sha256(data).hexdigest() != part["sha256"]:
        raise ConfigError(f"{path}: {part['file']} does not match its hash: the file is damaged; {AGAIN}")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ConfigError(f"{path}: {part['file']} is no picture; {AGAIN}")
    return np.asarray(pixels, np.uint8)


def _places(path: Path, head: dict[str, Any], count: int) -> tuple[tuple[Box, ...], tuple[Landmarks, ...]]:
    """The boxes and landmarks, one for each frame."""
    try:
        boxes = tuple((int(x), int(y), int(w), int(h)) for x, y, w, h in head["boxes"])
        marks = tuple(
            Landmarks(**{key: np.array(item[key], np.float32).reshape(shape) for key, shape in SHAPES.items()})
            for item in head["landmarks"]
        )
    except (ValueError, TypeError, KeyError) as err:
        raise ConfigError(f"{path}: its landmarks cannot be understood ({err}); {AGAIN}") from err
    if not len(boxes) == len(marks) == count:
        raise ConfigError(f"{path}: {count} pictures, {len(boxes)} boxes, {len(marks)} landmarks; {AGAIN}")
    return boxes, marks


def save(path: Path, frames: list[Pixels], boxes: list[Box], landmarks: list[Landmarks]) -> None:
    """Write a bundle; when it fails nothing is left behind.

    Raises:
        ConfigError: it cannot be written there: disk full, no permission.
    """
    import cv2

    film = len(frames) > 1
    # PNG keeps a photograph as it is; a film's pictures as JPEG are a fifth of the size and look the same.
    kind, options = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95]) if film else (".png", [cv2.IMWRITE_PNG_COMPRESSION, 6])
    parts = {f"{n:04}{kind}": cv2.imencode(kind, frame, options)[1].tobytes() for n, frame in enumerate(frames)}
    head: dict[str, Any] = {
        "format": FORMAT,
        "frames": [{"file": name, "sha256": hashlib.sha256(data).hexdigest()} for name, data in parts.items()],
        "boxes": [list(map(int, box)) for box in boxes],
        "landmarks": [{k: np.round(getattr(m, k), 2).astype(float).tolist() for k in SHAPES} for m in landmarks],
    }
    head["sha256"] = _digest(head)
    with whole(path) as part, zipfile.ZipFile(part, "w") as bundle:
        bundle.writestr(HEAD, json.dumps(head))
        for name, data in parts.items():
            bundle.writestr(name, data)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path to write to; it takes the place of ``path`` when the block ends well, and goes when it does not.

    Raises:
        ConfigError: it cannot be written there: disk full, no permission.
    """
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        part = Path(name)
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.chmod(0o644)
        part.replace(path)
    except OSError as err:
        raise ConfigError(f"{path}: cannot be written: {err.strerror or err}; nothing was kept") from err
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
