"""When the screen rests: what is wanted of it, as news and time pass. No clock and no device is in here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from avatard.api.news import Event, StateChanged, Touched, WakeHeard
from avatard.plugins.backlight.config import Cause, ScreenConfig

Light = Literal["bright", "night", "dim", "off"]
"""``night`` is awake at night; ``dim`` is on its way to sleep."""


@dataclass(slots=True)
class Rest:
    """Whether it is awake. All times are monotonic seconds."""

    config: ScreenConfig
    since: float
    """When something last happened."""
    asleep: bool = False
    held: bool = False
    """Somebody switched it off: it is not its own sleep."""
    busy: bool = False
    """An exchange is going on."""
    night: bool = False
    _cause: Cause | None = field(default=None)
    """Of the exchange."""

    def take(self, event: Event, now: float) -> bool:
        """Note what happened; False where it does not matter here."""
        match event:
            case WakeHeard():
                self._exchange("wake_word", now)
            case StateChanged("listening") if self._cause is None:
                # Somebody speaks: by a wake word, or by a button that stands for it.
                self._exchange("wake_word", now)
            case StateChanged("processing" | "responding") if self._cause is None:
                self._exchange("say", now)
            case StateChanged("idle" | "error"):
                self.busy, self._cause, self.since = False, None, now
            case Touched():
                self._happened("touch", now)
            case _:
                return False
        return True

    def switch(self, on: bool, now: float) -> None:
        """Somebody switches it."""
        self.asleep = self.held = not on
        self.since = now

    def look(self, now: float, night: bool) -> tuple[Light, float]:
        """What is wanted, and when that changes if nothing happens (``math.inf``: never)."""
        morning, self.night = self.night and not night, night
        if morning and not self.config.sleep_minutes and not self.held:
            # It never sleeps by day.
            self.asleep, self.since = False, now
        if self.asleep:
            return "off", math.inf
        awake: Light = "night" if night else "bright"
        if self.busy:
            return awake, math.inf
        config = self.config
        sleep = self.since + (config.night_sleep_seconds if night else config.sleep_minutes * 60 or math.inf)
        dim = self.since + (config.dim_minutes * 60 or math.inf)
        if now >= sleep:
            self.asleep = True
            return "off", math.inf
        return ("dim", sleep) if now >= dim else (awake, min(dim, sleep))

    def _exchange(self, cause: Cause, now: float) -> None:
        self.busy, self._cause = True, cause
        self._happened(cause, now)

    def _happened(self, cause: Cause, now: float) -> None:
        if self.asleep and cause not in (self.config.wake_from_off if self.held else self.config.wake_for):
            return
        self.asleep = self.held = False
        self.since = now
