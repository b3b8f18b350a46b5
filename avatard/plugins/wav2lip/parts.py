"""From the user's file to the parts that run: a description, and a file for each part, kept under the file's hash."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
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


def keep(folder: Path, parts: Parts, models: Mapping[str, Any]) -> Parts:
    """Write the models and their description, all or nothing; return the description with its files.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for stale in folder.parent.glob(f"{UNDER_WAY}*"):
        if time.time() - stale.stat().st_mtime > STALE:
            shutil.rmtree(stale, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=UNDER_WAY, dir=folder.parent))
    try:
        files = {}
        for name, model in models.items():
            path = made / f"{name}.onnx"
            with path.open("wb") as file:
                file.write(model.SerializeToString())
                file.flush()
                os.fsync(file.fileno())
            part = parts.parts[name]
            files[name] = Part(path.name, digest(path), part.inputs, part.outputs)
        whole = replace(parts, parts=files)
        (made / DESCRIPTION).write_text(json.dumps(asdict(whole)), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return whole
