"""The one door for commands: MQTT, pages, the command line and responders call it; nobody reaches behind it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Protocol

from .news import State, Tier, TurnReport
from .news import TimerView as TimerView


@dataclass(frozen=True, slots=True)
class Ticket:
    """A command that was taken: its turn's number, and its report once it has ended."""

    turn: int
    finished: Awaitable[TurnReport]




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
    session: str = "room"
    """Of the turn in progress"""
    voice: str = ""
    voices: tuple[str, ...] = ()
    """What ``set_voice`` takes; empty where the synthesizer has one voice alone."""
    face: str = ""
    faces: tuple[str, ...] = ()
    screen: bool | None = None
    """Whether the screen is on; None where none can be switched."""
    tier: Tier = "normal"


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

    async def test_wake_word(self) -> dict[str, str]:
        """Say each wake phrase to the detector; return ``heard``, ``missed`` or ``untested`` for each.

        Raises:
            NotReady, StageFailed: nothing listens here, or the test cannot be made.
        """

    async def stop(self) -> None:
        """End the turn in progress and whatever rings; what is queued is dropped and its senders are told."""

    async def mute(self, on: bool) -> None:
        """Close the microphone, or open it again."""

    async def set_volume(self, percent: int) -> None:
        """Set the loudness of every display, 0–100."""

    async def set_voice(self, name: str) -> None:
        """Speak with another of ``status().voices`` from the next sentence on.

        Raises:
            Refused: there is no such voice.
        """

    async def set_face(self, name: str) -> None:
        """Show another of ``status().faces`` from the next answer on.

        Raises:
            Refused: there is no such face.
        """

    async def set_screen(self, on: bool) -> None:
        """Switch the screens on or off.

        Raises:
            Refused: no display has a screen that can be switched.
        """

    async def reload(self) -> None:
        """Read the configuration again and reopen what has changed.

        Raises:
            ConfigError: the file is wrong; nothing has changed.
            Refused: nobody runs this daemon from a file.
        """

    async def restart(self) -> None:
        """End what is going on and start the program again.

        Raises:
            Refused: nobody can start it again.
        """

    async def set_timer(self, seconds: float, name: str = "") -> TimerView:
        """Start a timer that rings."""

    async def add_to_timer(self, seconds: float, id: int | None = None, name: str = "") -> TimerView | None:
        """Let a timer end later (the one that ends first without ``id`` and ``name``); None where there is no such one.

        Raises:
            Refused: it would be over, or too long.
        """

    async def cancel_timer(self, id: int | None = None, name: str = "") -> TimerView | None:
        """Cancel a timer, or stop its ring (the first to end without ``id`` and ``name``); None where there is none."""

    def status(self) -> Status:
        """What is going on."""
