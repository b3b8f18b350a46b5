"""What a browser is told first: who this is, what it is doing, and how it looks."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from avatard.api.context import PluginContext
from avatard.api.door import Assistant
from avatard.api.errors import AvatardError
from avatard.plugins.web import wire
from avatard.plugins.web.client import Client
from avatard.plugins.web.display import BrowserDisplay
from avatard.plugins.web.history import History, LogTail
from avatard.plugins.web.resting import Films


class Welcome:
    """Writes the first messages."""

    def __init__(self, context: PluginContext, films: Films, history: History, log: LogTail, site: str) -> None:
        """``site`` is the version of the pages."""
        self.films = films
        self._context, self._history, self._log = context, history, log
        self._version = f"{_version()}+{site}"

    def message(
        self, client: Client, display: BrowserDisplay, assistant: Assistant, answer: dict[str, Any] | None
    ) -> dict[str, Any]:
        """The welcome."""
        context, health = self._context, self._history.health
        return {
            "type": "welcome", "title": context.title, "id": context.id, "language": context.language,
            "page": client.page, "version": self._version, "sound": client.sound and display.sounds,
            "stream": client.stream, "volume": display.volume, **self._state(assistant),
            "memory_mb": health.memory_mb if health else None, "budget_mb": health.budget_mb if health else None,
            "wake_phrases": list(context.wake_phrases), "idle": self.films.film, "answer": answer,
        }  # fmt: skip

    def looks(self) -> tuple[Any, ...]:
        """What a welcome says and no news tells: which faces and voices there are."""
        try:
            status = self._context.assistant.status()
        except AvatardError:
            return ()
        return status.faces, status.voices

    def history(self) -> list[dict[str, Any]]:
        """What a control page is told then."""
        return [*self._history.told(), *self._log.told()]

    def _state(self, assistant: Assistant) -> dict[str, Any]:
        try:
            status = assistant.status()
        except AvatardError:  # it is starting, or reads its configuration again
            return {"state": "idle", "ready": False, "muted": False, "face": "", "faces": [], "voice": "", "voices": [],
                    "screen": None, "tier": "normal", "timers": [], "problems": {}, "engines": {}}  # fmt: skip
        return {
            "state": status.state, "ready": True, "muted": status.muted, "volume": status.volume, "face": status.face,
            "faces": list(status.faces), "voice": status.voice, "voices": list(status.voices), "screen": status.screen,
            "tier": status.tier, "timers": wire.timers(status.timers), "problems": status.problems,
            "engines": status.engines,
        }  # fmt: skip


def _version() -> str:
    try:
        return version("avatard")
    except PackageNotFoundError:
        return "0"
