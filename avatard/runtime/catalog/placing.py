"""Putting a model in its place: one writer at a time, and nothing is seen before it is whole."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avatard.runtime.catalog.entries import MB
from avatard.runtime.catalog.part import PullFailed
from avatard.runtime.catalog.store import CARD, Installed, sha256_of

NEW, OLD, PARTS = ".new-", ".old-", ".parts"
SPARE = 32 * MB
"""Bytes that stay free on the disk."""


@contextmanager
def alone(home: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Be the only one who changes the models folder while the block runs; wait for another who does.

    Raises:
        PullFailed: the folder cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / ".lock").open("a")
    except OSError as err:
        raise PullFailed(
            f"{home}: cannot be written: {err.strerror}; choose another folder with AVATARD_MODELS=DIR"
        ) from err
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        _tidy(home)
        yield


def room(home: Path, needed: int) -> None:
    """Look whether the disk has room.

    Raises:
        PullFailed: it has not; says how much is missing.
    """
    free = shutil.disk_usage(home).free
    if free < needed + SPARE:
        raise PullFailed(f"{home}: {(needed + SPARE) // MB} MB are needed, {free // MB} MB are free: make room, or "
                         "choose another folder with AVATARD_MODELS=DIR")  # fmt: skip


@contextmanager
def placing(home: Path, name: str) -> Iterator[Path]:
    """Give an empty folder to fill; it takes its place under ``name`` when the block ends well, else it goes.

    Raises:
        PullFailed: the disk is full or may not be written.
    """
    new = home / f"{NEW}{name}"
    try:
        new.mkdir()
        yield new
        _sync(new)
        _swap(home, name)
    except OSError as err:
        raise PullFailed(f"{home / name}: cannot be written: {err.strerror or err}; nothing was changed") from err
    finally:
        shutil.rmtree(new, ignore_errors=True)


def files_in(place: Path) -> dict[str, dict[str, Any]]:
    """Each file below a folder, with its SHA-256 and size."""
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name != CARD)
    return {str(p.relative_to(place)): {"sha256": sha256_of(p), "size": p.stat().st_size} for p in files}


def card(place: Path, **told: str) -> None:
    """Write what is known of a model into its folder."""
    Installed(place.name, files=files_in(place), folder=place, **told).write()


def _swap(home: Path, name: str) -> None:
    new, old, target = home / f"{NEW}{name}", home / f"{OLD}{name}", home / name
    if target.exists():
        target.rename(old)
    new.rename(target)
    _sync_folder(home)
    shutil.rmtree(old, ignore_errors=True)


def _tidy(home: Path) -> None:
    """After one who was killed: what was moved away comes back, what was unfinished goes."""
    for old in home.glob(f"{OLD}*"):
        target = home / old.name.removeprefix(OLD)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(target)
    for new in home.glob(f"{NEW}*"):
        shutil.rmtree(new, ignore_errors=True)


def _sync(place: Path) -> None:
    for path in place.rglob("*"):
        if path.is_dir():
            _sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(place)


def _sync_folder(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
