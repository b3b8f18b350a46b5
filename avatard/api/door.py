"""The one door for commands: MQTT, pages, the command line and responders call it; nobody reaches behind it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

from .news import State, TurnReport


@dataclass(frozen=True, slots=True)
class Ticket:
    """A command that was taken: its turn's number, and its report once it has ended."""

    turn: int
    finished: Awaitable[TurnReport]


@dataclass(frozen=True, slots=True)
class TimerView:
    """A running timer."""

    id: int
    name: str
    seconds_left: float
    ringing: bool


@dataclass(frozen=True, slots=True)
class Status:
    """What the daemon is doing."""

    state: State
    muted: bool
    volume: int
    """0–100"""
    turn: int | None
    queued: int
    uptime_s: float
    engines: dict[str, str] = field(default_factory=dict)
    timers: tuple[TimerView, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


class Assistant(Protocol):
    """Commands that anybody may give."""

    async def say(
        self, text: str, *, source: str = "api", session: str = "room", interrupt: bool = False, priority: int = 0,
        volume: int | None = None, language: str | None = None,
    ) -> Ticket:  # fmt: skip
        """Queue an announcement; ``interrupt`` cancels what is going on, a higher ``priority`` goes first.

        Raises:
            Refused: there are no words in it, it is too long, or the queue is full.
        """

    async def ask(self, text: str, *, source: str = "api", session: str = "room") -> Ticket:
        """Answer a written question as if it had been heard.

        Raises:
            Refused: as for ``say``.
        """

    async def listen(self) -> None:
        """Listen for a request now, without a wake word."""

    async def stop(self) -> None:
        """End the turn in progress and whatever rings; what is queued is dropped and its senders are told."""

    async def mute(self, on: bool) -> None:
        """Close the microphone, or open it again."""

    async def set_volume(self, percent: int) -> None:
        """Set the loudness of every display, 0–100."""

    async def set_timer(self, seconds: float, name: str = "") -> TimerView:
        """Start a timer that rings."""

    async def cancel_timer(self, id: int | None = None) -> TimerView | None:
        """Cancel a timer (the one that ends first without ``id``); None where none runs."""

    def status(self) -> Status:
        """What is going on."""
