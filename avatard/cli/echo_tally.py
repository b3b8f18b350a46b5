"""What ``avatard bench echo`` says, who interrupts it, and what each guard let through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PHRASES = {"okay_nabu": "okay nabu", "hey_jarvis": "hey jarvis", "alexa": "alexa"}
OURS = ("en-us", "en-us+f3", "en-029+f3", "en-gb-scotland+f2", "en-us+m3", "en-029+m1")
"""Voices that it speaks with: the default, and some that the detectors take for a person's most readily."""
TEMPTING = (
    "You can wake me. {}. Then ask for the time.", "{}. I am listening.", "{}, turn on the kitchen lights.",
    "Here it comes: {}.", "I said {}, and nothing happened.", "One, two, three. {}. Four, five, six.",
)  # fmt: skip
PLAIN = (
    "It is ten past four in the afternoon, and the sun will go down at half past seven.",
    "The kitchen lights are on, the office lights are off, and the window in the bedroom is still open.",
    "Tomorrow will be mostly cloudy, with a little rain in the evening and a light wind from the west.",
    "The washing machine has finished, and there are twelve minutes left on the timer for the pizza.",
)
PEOPLE = {
    "okay_nabu": (("en-029+m3", 140), ("en-us+m1", 140), ("en-us+m5", 165)),
    "hey_jarvis": (("en-gb-scotland+f2", 140), ("en-029+f4", 140), ("en-029+f3", 165)),
    "alexa": (("en-us+m7", 140), ("en-gb-x-rp", 165), ("en-gb-scotland+m1", 165)),
}
"""Voices of those who interrupt, and words a minute: each is heard where nothing else sounds."""
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
