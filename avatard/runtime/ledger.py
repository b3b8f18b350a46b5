"""What each model took at its last load, remembered over restarts."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

from avatard.runtime.memo import write_json

log = logging.getLogger(__name__)

WORTH_WRITING = 1.0
"""Megabytes; a smaller change spares the memory card."""
EXPECTED = " expected"
"""After a model's name: what its plugin expected."""


class Ledger:
    """Megabytes by a model's name, in a small file."""

    def __init__(self, path: Path) -> None:
        """Read the file; one that cannot be read is as good as none."""
        self._path = path
        self._seen: set[str] = set()
        self._megabytes = self._read()

    def megabytes(self, name: str, expected: float | None = None) -> float | None:
        """What the model took when it was loaded last; None where that is not known.

        Where its plugin expects something else than it did then, it is another model by now: another file, or more
        context.
        """
        then = self._megabytes.get(name + EXPECTED)
        if expected is not None and then is not None and abs(then - expected) >= WORTH_WRITING:
            return None
        return self._megabytes.get(name)

    def note(self, name: str, megabytes: float, expected: float | None = None) -> None:
        """Remember what a load took, and what its plugin had expected.

        A model that is loaded again in the same process finds its libraries there already: the first load is the
        one that tells, unless a later one takes more.
        """
        before = self.megabytes(name, expected)
        if name in self._seen and before is not None and megabytes <= before:
            return
        self._seen.add(name)
        self._megabytes[name] = round(megabytes, 1)
        if expected is not None:
            self._megabytes[name + EXPECTED] = round(expected, 1)
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
        try:
            write_json(self._path, self._megabytes)
        except OSError as err:
            log.warning("%s: what models take is not remembered: %s", self._path, err.strerror)


def _sane(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
