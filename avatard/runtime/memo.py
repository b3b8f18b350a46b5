"""What outlives a restart: small JSON files, written whole or not at all."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from avatard.api.news import SettingChanged
from avatard.runtime.feed import Feed
from avatard.talk.settings import Settings
from avatard.talk.timers import Timers

log = logging.getLogger(__name__)


def write_json(path: Path, data: Any) -> None:
    """Put the data in the place of the file, atomically.

    Raises:
        OSError: the disk is full or may not be written; the file is as it was.
    """
    beside = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("w") as file:
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


async def remember(feed: Feed, settings: Settings, path: Path) -> None:
    """Write the settings whenever one has changed, for ever."""
    with feed.subscribe() as news:
        async for event in news:
            if isinstance(event, SettingChanged) and event.name != "screen":
                try:
                    write_json(path, asdict(settings))
                except OSError as err:
                    log.warning("%s: the settings are not remembered: %s", path, err.strerror)


def restore_timers(timers: Timers, path: Path) -> None:
    """Take up the timers that ran before the restart, and write them from now on whenever they change."""
    try:
        late = timers.restore(json.loads(path.read_bytes()))
        if late:
            log.warning("timers that ended while nothing ran, and do not ring: %s", ", ".join(late))
    except FileNotFoundError:
        pass  # there were none yet
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as err:
        log.warning("%s: not used (%s); there are no timers", path, err)

    def keep(kept: list[dict[str, Any]]) -> None:
        try:
            write_json(path, kept)
        except OSError as err:
            log.warning("%s: the timers would not outlive a restart: %s", path, err.strerror)

    timers.keep = keep
