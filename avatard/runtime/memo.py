"""What outlives a restart: small JSON files, written whole or not at all."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from avatard.talk.orders import Orders
from avatard.talk.settings import Settings

log = logging.getLogger(__name__)


def write_json(path: Path, data: Any) -> None:
    """Put the data in the place of the file, atomically.

    Raises:
        OSError: the disk is full or may not be written; the file is as it was.
    """
    beside = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(beside, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(json.dumps(data, indent=1, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def read_settings(path: Path) -> Settings:
    """What was set before the restart; a file that cannot be read is as good as none."""
    try:
        return Settings.of(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, TypeError, RecursionError) as err:
        log.warning("%s: not used (%s); the settings are the usual ones", path, err)
        return Settings()


def settings_outlive(orders: Orders, path: Path) -> None:
    """Set them as before the restart, and write them from now on whenever one changes.

    They are on the disk before whoever changed one is told: a house that was muted stays so, whatever befalls it.
    """
    orders.settings = read_settings(path)

    def keep(settings: Settings) -> None:
        try:
            write_json(path, asdict(settings))
        except OSError as err:
            log.warning("%s: the settings would not outlive a restart: %s", path, err.strerror)

    orders.keep = keep


class Outliving(Protocol):
    """What is taken up again after a restart: timers, sessions."""

    keep: Callable[[list[dict[str, Any]]], None]

    def restore(self, kept: Iterable[Mapping[str, Any]]) -> None:
        """Take up what was kept."""


def outlive(what: str, those: Outliving, path: Path) -> None:
    """Take up what there was before the restart, and write it from now on whenever it changes."""
    try:
        those.restore(json.loads(path.read_bytes()))
    except FileNotFoundError:
        pass  # there was nothing yet
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as err:
        log.warning("%s: not used (%s); there are no %s", path, err, what)

    def keep(kept: list[dict[str, Any]]) -> None:
        try:
            write_json(path, kept)
        except OSError as err:
            log.warning("%s: the %s would not outlive a restart: %s", path, what, err.strerror)

    those.keep = keep
