"""When what happened in a turn, for its report."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Timeline:
    """Milliseconds since the request's end (or since the command)."""

    origin: float = field(default_factory=time.monotonic)
    """Monotonic seconds"""
    since: str = "command"
    """``speech_end`` where somebody spoke"""
    marks: dict[str, float] = field(default_factory=dict)

    def mark(self, what: str) -> None:
        """Note the first time that it happens."""
        self.marks.setdefault(what, time.monotonic())

    def ms(self) -> dict[str, float]:
        """The report's ``ms``."""
        result = {f"{self.since}_to_{what}": round((at - self.origin) * 1000, 1) for what, at in self.marks.items()}
        result["total"] = round((time.monotonic() - self.origin) * 1000, 1)
        return result
