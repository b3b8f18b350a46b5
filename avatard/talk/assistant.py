"""The door: fulfils ``api.door.Assistant`` for one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from avatard.api.door import Status, Ticket, TimerView
from avatard.api.errors import NotReady, Refused
from avatard.api.news import Problem
from avatard.talk.listening import Listening
from avatard.talk.place import Place
from avatard.talk.requests import Request, checked
from avatard.talk.timers import Timer, Timers


@dataclass(slots=True)
class Household:
    """What the door opens on; complete once the daemon has started."""

    place: Place
    listening: Listening | None
    engines: Callable[[], dict[str, str]]


class Door:
    """Commands for one place."""

    def __init__(self, language: str, max_text: int) -> None:
        """Refuse texts longer than ``max_text`` characters."""
        self.household: Household | None = None
        self.timers = Timers(self._ring)
        self.muted = False
        self.problems: dict[str, str] = {}
        self._language, self._max_text = language, max_text
        self._began = time.monotonic()

    @property
    def _house(self) -> Household:
        if self.household is None:
            raise NotReady("the daemon is still starting")
        return self.household

    async def say(
        self, text: str, *, source: str = "api", session: str = "room", interrupt: bool = False, priority: int = 0,
        volume: int | None = None, language: str | None = None,
    ) -> Ticket:  # fmt: skip
        """Queue an announcement."""
        if volume is not None and not 0 <= volume <= 100:
            raise Refused(f"volume {volume}: give 0 to 100")
        request = Request(
            "say", source, checked(text, self._max_text), session, priority + (100 if interrupt else 0), volume,
            language or self._language,
        )  # fmt: skip
        return await self._submit(request, interrupt)

    async def ask(self, text: str, *, source: str = "api", session: str = "room") -> Ticket:
        """Answer a written question."""
        request = Request("ask", source, checked(text, self._max_text), session, 10, language=self._language)
        return await self._submit(request, False)

    async def listen(self) -> None:
        """Hear a request now."""
        if self._house.listening is None:
            raise Refused("there is no microphone")
        if self.muted:
            raise Refused("it is muted: unmute it first")
        self._house.listening.listen()

    async def stop(self) -> None:
        """End what is going on."""
        await self._house.place.stop()

    async def mute(self, on: bool) -> None:
        """Close the microphone or open it."""
        self.muted = on
        if self._house.listening is not None:
            self._house.listening.mute(on)

    async def set_volume(self, percent: int) -> None:
        """Set the loudness."""
        if not 0 <= percent <= 100:
            raise Refused(f"volume {percent}: give 0 to 100")
        self._house.place.set_volume(percent)

    async def set_timer(self, seconds: float, name: str = "") -> TimerView:
        """Start a timer."""
        return self.timers.start(seconds, name)

    async def cancel_timer(self, id: int | None = None) -> TimerView | None:
        """Cancel a timer."""
        return self.timers.cancel(id)

    def status(self) -> Status:
        """What is going on."""
        place = self._house.place
        return Status(
            place.state, self.muted, place.volume, place.current.turn if place.current else None, place.queued,
            round(time.monotonic() - self._began, 1), self._house.engines(), self.timers.views(),
            dict(self.problems),
        )  # fmt: skip

    def note(self, problem: Problem) -> None:
        """Remember a problem until it is over."""
        if problem.over:
            self.problems.pop(problem.where, None)
        else:
            self.problems[problem.where] = problem.what

    async def _submit(self, request: Request, interrupt: bool) -> Ticket:
        self._house.place.submit(request)
        if interrupt and self._house.place.current is not request:
            await self._house.place.interrupt()
        return request.ticket()

    async def _ring(self, timer: Timer) -> None:
        text = f"Your {timer.name} timer is done." if timer.name else "Your timer is done."
        self._house.place.submit(Request("ring", "timer", text, priority=5, language=self._language))
