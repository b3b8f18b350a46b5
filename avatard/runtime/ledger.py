"""What each model took at its last load, remembered over restarts."""

from __future__ import annotations

import json
import logging
import math
import os
from pathlib import Path

log = logging.getLogger(__name__)

WORTH_WRITING = 1.0
"""Megabytes; a smaller change spares the memory card."""


class Ledger:
    """Megabytes by a model's name, in a small file."""

    def __init__(self, path: Path) -> None:
        """Read the file; one that cannot be read is as good as none."""
        self._path = path
        self._seen: set[str] = set()
        self._megabytes = self._read()

    def megabytes(self, name: str) -> float | None:
        """What the model took when it was loaded last; None where that is not known."""
        return self._megabytes.get(name)

    def note(self, name: str, megabytes: float) -> None:
        """Remember what a load took.

        A model that is loaded again in the same process finds its libraries there already: the first load is the
        one that tells, unless a later one takes more.
        """
        before = self._megabytes.get(name)
        if name in self._seen and before is not None and megabytes <= before:
            return
        self._seen.add(name)
        self._megabytes[name] = round(megabytes, 1)
        if before is None or abs(before - megabytes) >= WORTH_WRITING:
            self._write()

    def _read(self) -> dict[str, float]:
        try:
            data = json.loads(self._path.read_bytes())
            if not isinstance(data, dict) or not all(_sane(value) for value in data.values()):
                raise ValueError("not a mapping of names to megabytes")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as err:
            log.warning("%s: not used (%s); what models take is measured again", self._path, err)
            return {}
        return {name: float(value) for name, value in data.items()}

    def _write(self) -> None:
        beside = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(self._megabytes, indent=1, sort_keys=True) + "\n")
            os.replace(beside, self._path)
        except OSError as err:
            log.warning("%s: what models take is not remembered: %s", self._path, err.strerror)


def _sane(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
