"""What ``avatard bench listen`` counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from avatard.api.flow import WakeDetected
from avatard.cli.listen_people import Attempt
from avatard.cli.listen_scenes import SECONDS, Scene

GRACE = 0.7
"""Seconds after a phrase in which it may be noticed."""


@dataclass
class Tally:
    """Wake words that nobody said, and those that somebody said in vain."""

    phrases: Sequence[str]
    hours: float = 0.0
    woken: list[dict[str, Any]] = field(default_factory=list)
    """Each false wake, with what was being said."""
    tried: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """How often a phrase was said: of (phrase,), (phrase, "place", …) and (phrase, "voice", …)"""
    missed: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """The same, of those that nobody heard."""

    def heard(self, scene: Scene, wakes: Sequence[WakeDetected]) -> None:
        """Count a scene, in which nobody says a wake phrase; ``wakes`` by its own clock."""
        for one in wakes:
            said = [f"{said.voice}: {said.text}" for said in scene.at(one.at)]
            self.woken.append({
                "phrase": one.phrase, "score": round(one.score, 3), "hour": round(self.hours + one.at / 3600, 4),
                "scene": scene.kind, "said": said,
            })  # fmt: skip
        self.hours += SECONDS / 3600

    def attempted(self, attempt: Attempt, wakes: Sequence[WakeDetected]) -> None:
        """Count a phrase that somebody said."""
        phrase = attempt.person.phrase
        last = attempt.ends + GRACE
        found = any(one.phrase == phrase and attempt.begins <= one.at <= last for one in wakes)
        for key in ((phrase,), (phrase, "place", attempt.place.name), (phrase, "voice", attempt.person.voice)):
            self.tried[key] += 1
            self.missed[key] += not found

    def figures(self) -> dict[str, Any]:
        """As they are printed."""
        false = Counter(one["phrase"] for one in self.woken)
        hours = max(self.hours, 1e-9)
        return {
            "hours": round(self.hours, 3), "false_wakes_per_hour": round(len(self.woken) / hours, 3),
            "false_wakes_per_hour_by_phrase": {phrase: round(false[phrase] / hours, 3) for phrase in self.phrases},
            "missed_percent": {phrase: self._percent((phrase,)) for phrase in self.phrases},
            "missed_percent_by_place": self._by("place"), "missed_percent_by_voice": self._by("voice"),
            "tried": {phrase: self.tried[(phrase,)] for phrase in self.phrases}, "false_wakes": self.woken,
        }  # fmt: skip

    def _by(self, what: str) -> dict[str, dict[str, float]]:
        return {
            phrase: {key[2]: self._percent(key) for key in self.tried if key[:2] == (phrase, what)}
            for phrase in self.phrases
        }  # fmt: skip

    def _percent(self, key: tuple[str, ...]) -> float:
        return round(100 * self.missed[key] / self.tried[key], 1) if self.tried[key] else 0.0
