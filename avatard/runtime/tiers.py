"""When a memory tier begins and when it ends: up at once, down one at a time and only after a calm while."""

from __future__ import annotations

from avatard.api.news import Tier
from avatard.runtime.config.core import Memory

ORDER: tuple[Tier, ...] = ("normal", "tidy", "shed", "survive")


def higher(one: Tier, other: Tier) -> Tier:
    """The graver of the two."""
    return max(one, other, key=ORDER.index)


class Ladder:
    """Where we stand."""

    def __init__(self, settings: Memory) -> None:
        """Stand on the ground."""
        self.tier: Tier = "normal"
        self.settings = settings
        self._calm_since: float | None = None

    def asked(self, percent: float) -> Tier:
        """The tier that so many percent of the budget ask for."""
        settings = self.settings
        if percent >= settings.survive_percent:
            return "survive"
        if percent >= settings.shed_percent:
            return "shed"
        return "tidy" if percent >= settings.tidy_percent else "normal"

    def look(self, percent: float, strain: Tier, now: float) -> bool:
        """Take what was measured; True where the tier has changed, or a calm while on the ground is complete.

        Args:
            percent: of the budget.
            strain: what the machine's own want of memory asks for.
            now: monotonic seconds.
        """
        asked = higher(self.asked(percent), strain)
        if ORDER.index(asked) > ORDER.index(self.tier):
            self.tier, self._calm_since = asked, None
            return True
        if percent >= self.settings.return_percent or strain != "normal":
            self._calm_since = None
            return False
        if self._calm_since is None:
            self._calm_since = now
        if now - self._calm_since < self.settings.return_seconds:
            return False
        self._calm_since = now
        self.tier = ORDER[max(0, ORDER.index(self.tier) - 1)]
        return True
