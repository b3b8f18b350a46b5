"""Who shows life: each long-lived task beats its pulse, and systemd's watchdog is fed only while all of them do."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Beat:
    """One task's pulse; fulfils ``api.context.Pulse``."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Rest until the first beat."""
        self.due = math.inf
        """When the next beat must have come, monotonic seconds."""
        self._clock = clock

    def beat(self, within: float) -> None:
        """Be alive, and promise the next beat within so many seconds (``math.inf``: it rests)."""
        self.due = self._clock() + within


class Life:
    """The pulses of all long-lived tasks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody is watched yet."""
        self._clock = clock
        self._beats: dict[str, Beat] = {}

    def watch(self, name: str) -> Beat:
        """Watch a task under this name; whoever had the name before is forgotten."""
        self._beats[name] = Beat(self._clock)
        return self._beats[name]

    def forget(self, name: str, beat: Beat) -> None:
        """The task has ended, as it should, unless another has taken its name."""
        if self._beats.get(name) is beat:
            del self._beats[name]

    def stuck(self) -> tuple[str, ...]:
        """The tasks whose next beat is overdue."""
        now = self._clock()
        return tuple(sorted(name for name, beat in self._beats.items() if beat.due < now))
