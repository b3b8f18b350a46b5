"""A file on its way: ``NAME.part``, and beside it ``NAME.part.json``: what is needed to go on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from avatard.api.errors import AvatardError
from avatard.runtime.catalog.store import sha256_of
from avatard.runtime.memo import write_json

SAFE_EVERY = 4 << 20
"""Bytes after which what was written is made to last."""


class PullFailed(AvatardError):
    """A model could not be had; what has come of it is kept for the next time."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The file as its source has it."""

    url: str = ""
    etag: str = ""
    """A strong one, else empty."""
    modified: str = ""
    total: int | None = None
    """Bytes"""
    declared: str | None = None
    """The SHA-256 that the source states."""


class Part:
    """The bytes that have come; open while the block runs."""

    def __init__(self, path: Path) -> None:
        """Take up what an earlier try left at ``path``; only what is known to be on the disk counts."""
        self.path = path
        self._notes = path.with_name(path.name + ".json")
        self.sender = Sender()
        self.size = 0
        self._safe = 0
        self._file: BinaryIO | None = None
        try:
            told: dict[str, Any] = json.loads(self._notes.read_text("utf-8"))
            safe = int(told.pop("safe"))
            sender = Sender(**told)
            if 0 <= safe <= path.stat().st_size:
                self.sender, self.size, self._safe = sender, safe, safe
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            pass  # nothing to go on from

    def __enter__(self) -> Self:
        """Open the file."""
        with self._writing():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("r+b" if self.path.exists() else "x+b")
            self._file.truncate(self.size)
            self._file.seek(self.size)
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, _: TracebackType | None) -> None:
        """Close it, and note how far it is."""
        if self._file is not None:
            try:
                self.keep()
            except PullFailed:
                if err is None:
                    raise
            finally:
                self._file.close()
                self._file = None

    @property
    def whole(self) -> bool:
        """Whether all has come that was to come."""
        return self.size > 0 and self.size == self.sender.total

    def begin(self, sender: Sender) -> None:
        """Begin anew, with the file of this sender."""
        assert self._file is not None
        with self._writing():
            self._file.seek(0)
            self._file.truncate()
        self.sender, self.size = sender, 0
        self.keep()

    def add(self, data: bytes) -> None:
        """Write what has come.

        Raises:
            PullFailed: it cannot be written: the disk is full.
        """
        assert self._file is not None
        with self._writing():
            self._file.write(data)
        self.size += len(data)
        if self.size - self._safe >= SAFE_EVERY:
            self.keep()

    def keep(self) -> None:
        """Make what was written last, also over a power cut."""
        assert self._file is not None
        with self._writing():
            self._file.flush()
            os.fsync(self._file.fileno())
            write_json(self._notes, asdict(self.sender) | {"safe": self.size})
        self._safe = self.size

    def sha256(self) -> str:
        """Of all that has come."""
        with self._writing():
            if self._file is not None:
                self._file.flush()
            return sha256_of(self.path)

    def remove(self) -> None:
        """Leave nothing of it."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
        self.sender, self.size, self._safe = Sender(), 0, 0

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what the disk can raise into PullFailed."""
        try:
            yield
        except OSError as err:
            raise PullFailed(f"{self.path}: cannot be written: {err.strerror or err}") from err
