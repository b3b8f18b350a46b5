"""Short sounds beside what is shown: an mpv without pictures, which rests between them."""

from __future__ import annotations

import hashlib
import wave
from pathlib import Path
from typing import Any

from avatard.api.context import PluginContext
from avatard.api.flow import SPEECH_RATE, Samples
from avatard.plugins.screen import launch
from avatard.plugins.screen.config import DisplayConfig
from avatard.plugins.screen.keeper import Kept
from avatard.plugins.screen.player import Player


def loudness(percent: int) -> float:
    """mpv's volume, whose cube is the gain, for a gain of so many percent."""
    return float(100 * (percent / 100) ** (1 / 3))


class Bell:
    """Plays one short sound at a time."""

    def __init__(self, context: PluginContext, config: DisplayConfig, program: str, folder: Path) -> None:
        """Sounds are kept in the folder."""
        self._context, self._folder = context, folder
        self._volume = 100
        self._kept = Kept(context, "display.screen.chime", lambda d: launch.bell(program, config, d), self._started,
                          self._heard)  # fmt: skip

    def open(self) -> None:
        """Start it."""
        self._context.run("bell", self._kept.keep)

    @property
    def player(self) -> Player | None:
        """The mpv that runs."""
        return self._kept.player

    def ring(self, sound: Samples) -> None:
        """Play it now."""
        if (player := self._kept.player) is None:
            self._context.logger.warning("no chime: its player is not running")
            return
        name = hashlib.sha256(sound.tobytes()).hexdigest()[:16]
        path = self._folder / f"{name}.wav"
        if not path.exists():
            with wave.open(str(path), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(SPEECH_RATE)
                file.writeframes(sound.tobytes())
        player.tell("loadfile", str(path), "replace")

    def set_volume(self, percent: int) -> None:
        """Set the loudness."""
        self._volume = percent
        if (player := self._kept.player) is not None:
            self._started(player)

    def _started(self, player: Player) -> None:
        player.tell("set_property", "volume", loudness(self._volume))

    def _heard(self, event: dict[str, Any]) -> None:
        if event["event"] == "end-file" and event.get("reason") == "error":
            self._context.logger.warning("no chime: %s", event.get("file_error"))
