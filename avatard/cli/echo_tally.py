"""What ``avatard bench echo`` counts: what each guard let through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PHRASES = {"okay_nabu": "okay nabu", "hey_jarvis": "hey jarvis", "alexa": "alexa"}
LEVELS = (6, 12)
"""dB"""
GUARDS = ("without", "cancelling", "rehearsal", "with")
"""Nothing; the cancellers alone; our own speech heard beforehand alone; both.

Under ``alone`` stands what is heard of a person where we are silent.
"""


@dataclass
class Tally:
    """What each guard let through."""

    hours: float = 0.0
    wakes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GUARDS, 0))
    """It woke itself."""
    ours: dict[str, dict[str, int]] = field(default_factory=lambda: {p: dict.fromkeys(GUARDS, 0) for p in PHRASES})
    """By phrase."""
    tried: dict[tuple[str, int], int] = field(default_factory=dict)
    kept: dict[tuple[str, int, str], int] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """As they are printed."""
        def percent(level: int, guard: str, phrases: tuple[str, ...]) -> float:
            tried = sum(self.tried.get((p, level), 0) for p in phrases)
            kept = sum(self.kept.get((p, level, guard), 0) for p in phrases)
            return round(100 * kept / tried, 1) if tried else 0.0

        def of(*phrases: str) -> dict[str, dict[str, float]]:
            return {f"+{at}dB": {guard: percent(at, guard, phrases) for guard in ("alone", *GUARDS)} for at in LEVELS}

        return {
            "self_wakes_per_hour": {g: round(n / max(self.hours, 1e-9), 2) for g, n in self.wakes.items()},
            "kept_percent": of(*PHRASES), "kept_percent_by_phrase": {p: of(p) for p in PHRASES},
            "self_wakes_by_phrase": self.ours, "hours": round(self.hours, 3),
            "interrupts": {f"+{level}dB": sum(n for (_, at), n in self.tried.items() if at == level)
                           for level in LEVELS},
        }  # fmt: skip
