"""News as topics."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from avatard.api.door import Assistant, Status
from avatard.api.errors import NotReady
from avatard.api.news import (
    EngineChanged,
    Event,
    Health,
    Problem,
    Replied,
    SettingChanged,
    StateChanged,
    TierChanged,
    TimersChanged,
    TimerView,
    Transcribed,
    TurnFinished,
    WakeHeard,
)
from avatard.plugins.mqtt.discovery import device_message, discovery_topic, gone_since
from avatard.plugins.mqtt.outbox import Outbox, Outgoing

RUNNING = version("avatard")
"""The version that runs; what is installed on disk may be newer."""


class Publications:
    """Knows the topic and the payload of each piece of news."""

    def __init__(
        self, id: str, title: str, base: str, prefix: str, discovery: bool, assistant: Assistant, outbox: Outbox
    ) -> None:
        """Publish under ``base``; with ``discovery`` under ``prefix`` as well."""
        self._id, self._title, self._base = id, title, base
        self._discovered, self.discovery_topic = discovery, discovery_topic(prefix, id)
        self._assistant, self._outbox = assistant, outbox
        self._described: bytes | None = None
        self._earlier: bytes | None = None
        self._shown: tuple[object, ...] | None = None
        """What the description was made of."""
        self._warm = self._left = False
        self._ailing: frozenset[str] = frozenset()
        self._health: bytes | None = None

    def begin(self) -> None:
        """Say that it is there, and everything that is retained; once it has said farewell, that stands."""
        if self._left:
            return
        self._keep("availability", "online")
        self._keep("version", json.dumps({"installed_version": RUNNING, "latest_version": _on_disk()}))
        self._settings()

    def withdraw_device(self) -> None:
        """Be gone, and have Home Assistant forget the device: while it knows it, an empty state is an error."""
        self._keep("availability", "offline")
        self._discovered = False
        self._outbox.withdraw(self.discovery_topic)

    def farewell(self, removed: bool) -> None:
        """Say that it is gone; where it was switched off, leave nothing behind at the broker."""
        self._left = True
        self._keep("availability", "offline")
        if removed:
            for topic in self._outbox.topics:
                self._outbox.withdraw(topic)

    def take(self, event: Event) -> None:
        """Publish one piece of news."""
        if self._left:
            return
        match event:
            case StateChanged(state):
                self._keep("state", state)
                self._attributes()
            case SettingChanged() | EngineChanged() | TierChanged():
                self._settings()
            case TimersChanged(timers):
                self._timers(timers)
            case WakeHeard(phrase, score, _):
                self._tell("wake", phrase=phrase, score=round(score, 3))
            case Transcribed(text):
                self._tell("transcript", text=text)
            case Replied(turn, text):
                self._tell("reply", turn=turn, text=text)
            case TurnFinished(report):
                self._tell("turn", **asdict(report))
            case Problem(where, what, over):
                if not over or where in self._ailing:
                    self._tell("problem", where=where, what=what, over=over)
                self._ailing = self._ailing - {where} if over else self._ailing | {where}
            case Health():
                self._take_health(event)

    def event(self, event_type: str, **data: Any) -> Outgoing:
        """Make an event; ``event_type`` is its topic and, for Home Assistant, its type."""
        payload = json.dumps({"event_type": event_type, **data}, ensure_ascii=False)
        return Outgoing(f"{self._base}/{event_type}", payload.encode("utf-8", "replace"))

    def _tell(self, event_type: str, **data: Any) -> None:
        self._outbox.tell(self.event(event_type, **data))

    def found(self, payload: bytes) -> None:
        """The broker has this device message of an earlier avatard: Home Assistant shall forget what is gone."""
        if self._discovered and payload not in (self._described, b""):
            self._earlier = payload
            self._settings()

    def remind(self) -> None:
        """Home Assistant has begun anew: say everything once more."""
        self._outbox.again()
        if self._health is not None:
            self._outbox.latest(f"{self._base}/health", self._health)

    def _take_health(self, health: Health) -> None:
        self._warm = health.temperature_c is not None
        self._settings()
        try:
            problems = self._assistant.status().problems
        except NotReady:
            problems = {}
        data = asdict(health)
        data["drops"] += self._outbox.dropped
        data |= {"problem": "ON" if problems or health.stuck else "OFF", "problems": problems}
        self._health = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
        self._outbox.latest(f"{self._base}/health", self._health)
        self._keep("version", json.dumps({"installed_version": RUNNING, "latest_version": _on_disk()}))

    def _settings(self) -> None:
        status = self._status()
        if status is None:
            return
        self._keep("state", status.state)
        self._keep("mute", _switch(status.muted))
        self._keep("volume", str(status.volume))
        for name, value in (("voice", status.voice), ("face", status.face)):
            if value:
                self._keep(name, value)
        if status.screen is not None:
            self._keep("screen", _switch(status.screen))
        self._timers(status.timers)
        self._attributes()
        self._discovery(status)

    def _timers(self, timers: tuple[TimerView, ...]) -> None:
        shown = [{"id": t.id, "name": t.name, "ends": _instant(t.ends), "ringing": t.ringing} for t in timers]
        waiting = [t["ends"] for t in shown if not t["ringing"]]
        self._keep("timers", json.dumps({"next": waiting[0] if waiting else None, "timers": shown}))

    def _attributes(self) -> None:
        status = self._status()
        if status is not None:
            self._keep("attributes", json.dumps({
                "session": status.session, "turn": status.turn, "muted": status.muted, "volume": status.volume,
                "face": status.face, "voice": status.voice, "renderer": status.engines.get("render", ""),
                "encoder": status.engines.get("encoder", ""), "tier": status.tier,
            }))  # fmt: skip

    def _discovery(self, status: Status) -> None:
        if not self._discovered:
            self._outbox.withdraw(self.discovery_topic)
            return
        shown = status.screen is None, status.voices, status.voice, status.faces, status.face, self._warm
        if shown == self._shown and self._earlier is None:
            return
        # One that has not gone out yet is replaced by one that forgets the same.
        earlier = self._earlier or self._outbox.waiting(self.discovery_topic) or self._described
        self._earlier = None
        self._shown, self._described = shown, self._message(status, {})
        gone = gone_since(earlier, json.loads(self._described)) if earlier else {}
        if gone:  # Home Assistant wants to be told once
            self._outbox.keep(self.discovery_topic, self._message(status, gone), then=self._described)
        else:
            self._outbox.keep(self.discovery_topic, self._described)

    def _message(self, status: Status, gone: dict[str, str]) -> bytes:
        return json.dumps(
            device_message(
                self._id, self._title, self._base, RUNNING, status, temperature=self._warm, gone=gone
            )
        ).encode()

    def _keep(self, name: str, value: str) -> None:
        self._outbox.keep(f"{self._base}/{name}", value.encode())

    def _status(self) -> Status | None:
        try:
            return self._assistant.status()
        except NotReady:
            return None


def _switch(on: bool) -> str:
    return "ON" if on else "OFF"


def _instant(unix: float) -> str:
    return datetime.datetime.fromtimestamp(unix, datetime.UTC).isoformat(timespec="seconds")


def _on_disk() -> str:
    try:
        return version("avatard")
    except PackageNotFoundError:
        return RUNNING
