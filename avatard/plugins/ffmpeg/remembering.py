"""What the examination of the encoders found, kept over restarts."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

log = logging.getLogger("avatard.encoder.ffmpeg")


class Remembered:
    """One finding in a file; it counts as long as its key is the same."""

    def __init__(self, path: Path) -> None:
        """Keep it there; the file need not exist."""
        self._path = path

    def get(self, key: list[str]) -> dict[str, str] | None:
        """What was found under this key."""
        try:
            kept = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return None
        if not isinstance(kept, dict) or kept.get("key") != key or not isinstance(kept.get("found"), dict):
            return None
        return {str(name): why for name, why in kept["found"].items() if isinstance(why, str)}

    def put(self, key: list[str], found: dict[str, str]) -> None:
        """Keep a finding; where that cannot be, it is made again at the next start."""
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"key": key, "found": found}, indent=1) + "\n")
            os.replace(part, self._path)
        except OSError as err:
            log.warning("%s cannot be written: %s", self._path, err.strerror)

    def forget(self) -> None:
        """It is in doubt."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as err:
            log.warning("%s cannot be removed: %s", self._path, err.strerror)
