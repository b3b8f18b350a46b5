"""From the user's file to the parts that run: a description, and a file for each part, kept under the file's hash."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

VERSION = 1
"""Of what is kept; raised when the parts are made otherwise."""
DESCRIPTION = "parts.json"
UNDER_WAY, STALE = ".part-", 3600.0
"""What a folder is called until all of it is written; one so many seconds old was left by a killed process."""
PIECE = 1 << 20
"""Bytes that are hashed at a time."""


@dataclass(frozen=True)
class Part:
    """One piece of the network, as a file of its own."""

    file: str
    digest: str
    inputs: dict[str, int]
    """Name to the first row that it takes."""
    outputs: dict[str, int]
    """Name to the first row that is kept of it."""


@dataclass(frozen=True)
class Parts:
    """How a network runs."""

    height: int
    width: int
    mel: str
    face: str
    picture: str
    batch: int | None
    """A fixed batch, or None."""
    kind: str
    """float32 or float16: what is fed to it"""
    resists: str = ""
    """Why it runs whole; empty where it was taken apart."""
    parts: dict[str, Part] = field(default_factory=dict)
    """``sound``, ``face`` and ``joint``, or ``whole``"""
    face_bytes: int = 0
    """What is kept for each picture of the avatar."""
    version: int = VERSION

    @property
    def lower(self) -> int:
        """The first row of the picture's lower half."""
        return self.height // 2


def digest(*paths: Path) -> str:
    """Hash files."""
    found = hashlib.blake2b(digest_size=16)
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                found.update(piece)
    return found.hexdigest()


def kept(folder: Path) -> Parts | None:
    """What an earlier run has left, when all of it is sound."""
    try:
        data = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        if data["version"] != VERSION:
            return None
        data["parts"] = {name: Part(**part) for name, part in data["parts"].items()}
        parts = Parts(**data)
        if all(digest(folder / part.file) == part.digest for part in parts.parts.values()):
            return parts
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    return None


@contextmanager
def under_way(folder: Path) -> Iterator[Path]:
    """Give a folder to write to; it becomes ``folder`` when the block ends well, and goes when it does not.

    Raises:
        OSError: it cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for stale in folder.parent.glob(f"{UNDER_WAY}*"):
        if time.time() - stale.stat().st_mtime > STALE:
            shutil.rmtree(stale, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=UNDER_WAY, dir=folder.parent))
    try:
        yield made
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    except BaseException:  # whatever ends it, nothing half-written is left
        shutil.rmtree(made, ignore_errors=True)
        raise


def write(folder: Path, parts: Parts, models: dict[str, Any]) -> Parts:
    """Write the models, each of which is let go of, and their description; return it with its files.

    Raises:
        OSError: the disk is full.
    """
    files = {}
    for name in list(models):
        path = folder / f"{name}.onnx"
        with path.open("wb") as file:
            file.write(models.pop(name).SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        files[name] = replace(parts.parts[name], file=path.name, digest=digest(path))
    whole = replace(parts, parts=files)
    (folder / DESCRIPTION).write_text(json.dumps(asdict(whole)), "utf-8")
    return whole


def sources(folder: Path, parts: Parts) -> dict[str, str]:
    """The path of each part."""
    return {name: str(folder / part.file) for name, part in parts.parts.items()}
