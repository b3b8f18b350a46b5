"""What ``avatard bench echo`` counts: what each guard let through."""

from __future__ import annotations

from collections import Counter
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
    tried: Counter[tuple[str, int]] = field(default_factory=Counter)
    kept: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    known: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    """Of those that are heard where we are silent."""

    def interrupted(self, phrase: str, level: int, found: dict[str, list[bool]]) -> None:
        """Count some interrupts, and which of them each guard let through; ``found`` has ``alone``, too."""
        alone = found["alone"]
        self.tried[phrase, level] += len(alone)
        for guard, these in found.items():
            self.kept[phrase, level, guard] += sum(these)
            self.known[phrase, level, guard] += sum(one and heard for one, heard in zip(these, alone, strict=True))

    def figures(self) -> dict[str, Any]:
        """As they are printed."""
        def percent(level: int, guard: str, phrases: tuple[str, ...]) -> float:
            tried = sum(self.tried[p, level] for p in phrases)
            kept = sum(self.kept[p, level, guard] for p in phrases)
            return round(100 * kept / tried, 1) if tried else 0.0

        def of(*phrases: str) -> dict[str, dict[str, float]]:
            return {f"+{at}dB": {guard: percent(at, guard, phrases) for guard in ("alone", *GUARDS)} for at in LEVELS}

        def known(level: int, guard: str) -> float:
            alone, kept = (sum(self.known[p, level, one] for p in PHRASES) for one in ("alone", guard))
            return round(100 * kept / alone, 1) if alone else 0.0

        return {
            "self_wakes_per_hour": {g: round(n / max(self.hours, 1e-9), 2) for g, n in self.wakes.items()},
            "kept_percent": of(*PHRASES), "kept_percent_by_phrase": {p: of(p) for p in PHRASES},
            "kept_percent_of_known": {f"+{at}dB": {guard: known(at, guard) for guard in GUARDS} for at in LEVELS},
            "self_wakes_by_phrase": self.ours, "hours": round(self.hours, 3),
            "interrupts": {f"+{level}dB": sum(n for (_, at), n in self.tried.items() if at == level)
                           for level in LEVELS},
        }  # fmt: skip
