"""How the daemon is, for scripts, for Prometheus, and for whatever starts it again when it is not well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from avatard.api.context import PluginContext
from avatard.api.door import Status
from avatard.api.errors import AvatardError
from avatard.plugins.web.history import History

TIERS = ("normal", "tidy", "shed", "survive")
STATES = ("idle", "listening", "processing", "responding", "error")


class Condition:
    """Asks the daemon."""

    def __init__(self, context: PluginContext, history: History, clients: Callable[[], dict[str, int]]) -> None:
        """``clients`` counts the sockets of each page, and ``dropped`` pictures."""
        self._context, self._history, self._clients = context, history, clients

    def now(self) -> Status | None:
        """What it is doing; None while it is starting."""
        try:
            return self._context.assistant.status()
        except AvatardError:
            return None

    def status(self) -> dict[str, Any]:
        """All that is known."""
        status, health = self.now(), self._history.health
        return {
            "id": self._context.id, "title": self._context.title, "ready": status is not None,
            **(asdict(status) if status is not None else {}),
            "health": asdict(health) if health is not None else None, "clients": self._clients(),
        }  # fmt: skip

    def health(self) -> dict[str, Any]:
        """Whether it is well, and if not, why."""
        status, health = self.now(), self._history.health
        why = []
        if status is None:
            why.append("the daemon is starting, or reads its configuration again")
        elif status.state == "error":
            deaf = status.problems.get("microphone")
            why.append(deaf or "the last turn failed: " + status.problems.get("turn", "see the log"))
        if health is not None and health.stuck:
            why.append("shows no life: " + ", ".join(health.stuck))
        problems = status.problems if status is not None else {}
        return {"ok": not why, "why": "; ".join(why), "problems": problems}

    def metrics(self) -> str:
        """Prometheus' text format 0.0.4."""
        status, health, history = self.now(), self._history.health, self._history
        lines: list[str] = []

        def metric(name: str, kind: str, of: str, *values: tuple[str, float]) -> None:
            lines.extend((f"# HELP avatard_{name} {of}", f"# TYPE avatard_{name} {kind}"))
            lines.extend(f"avatard_{name}{label} {value:g}" for label, value in values)

        metric("up", "gauge", "Whether the house is open.", ("", status is not None))
        if status is not None:
            metric("uptime_seconds", "gauge", "Since the start.", ("", status.uptime_s))
            metric("state", "gauge", "What it is doing.", *((f'{{state="{s}"}}', s == status.state) for s in STATES))
            metric("tier", "gauge", "Of memory.", *((f'{{tier="{t}"}}', t == status.tier) for t in TIERS))
            metric("muted", "gauge", "Whether the microphone is closed.", ("", status.muted))
            metric("volume_percent", "gauge", "Loudness.", ("", status.volume))
            metric("queued", "gauge", "Announcements that wait.", ("", status.queued))
            metric("timers", "gauge", "Timers that run.", ("", len(status.timers)))
            metric("problems", "gauge", "Problems that last.", ("", len(status.problems)))
        if health is not None:
            metric("memory_bytes", "gauge", "PSS with children.", ("", round(health.memory_mb * 1e6)))
            metric("memory_budget_bytes", "gauge", "What it may use.", ("", round(health.budget_mb * 1e6)))
            metric("fps", "gauge", "Pictures a second while it spoke last.", ("", health.fps))
            if health.latency_ms is not None:
                metric("latency_seconds", "gauge", "End of speech to first frame, last turn.",
                       ("", health.latency_ms / 1000))  # fmt: skip
            metric("loop_lag_seconds", "gauge", "The longest since the last report.", ("", health.lag_ms / 1000))
            metric("drops_total", "counter", "Frames, events and messages lost for want of room.", ("", health.drops))
            metric("stuck", "gauge", "Parts that show no life.", ("", len(health.stuck)))
            if health.temperature_c is not None:
                metric("temperature_celsius", "gauge", "Of the processor.", ("", health.temperature_c))
        metric("turns_total", "counter", "Turns that ended.", ("", history.turns_finished))
        metric("turns_failed_total", "counter", "Turns that failed.", ("", history.turns_failed))
        clients = self._clients()
        dropped = clients.pop("dropped", 0)
        metric("web_clients", "gauge", "Browsers.", *((f'{{page="{p}"}}', n) for p, n in clients.items()))
        metric("web_dropped_pictures_total", "counter", "Pictures that browsers were too slow for.", ("", dropped))
        return "\n".join(lines) + "\n"
