"""Commands that concern one place: what is said and asked there, whether it listens, how loud it is."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from dataclasses import dataclass

from avatard.api.door import Ticket
from avatard.api.errors import NotReady, Refused
from avatard.api.news import News, SettingChanged
from avatard.talk.listening import Listening
from avatard.talk.place import Place
from avatard.talk.requests import Request, checked
from avatard.talk.sessions import ROOM
from avatard.talk.settings import Settings


@dataclass(frozen=True, slots=True)
class Seat:
    """A place with its ears, as commands find it."""

    place: Place
    listening: Listening | None
    language: str
    max_text: int
    """Characters in a text to say or ask."""


class Orders:
    """Takes the commands for one place."""

    def __init__(self, news: News, absent: str, source: str = "", session: str = ROOM) -> None:
        """Tell of what is changed.

        Args:
            news: the place's.
            absent: what is said while there is no place.
            source: of all that is said and asked here; empty: as its sender says.
            session: of all that is said and asked here; the room's: as its sender says.
        """
        self.settings = Settings()
        self.keep: Callable[[Settings], None] = lambda settings: None
        """Called with the settings whenever one was changed, before whoever changed it is told."""
        self.seat: Seat | None = None
        self.session = session
        self._news, self._absent, self._source = news, absent, source

    def move_in(self, seat: Seat) -> None:
        """Command this place from now on, and set it as the last one was."""
        self.seat = seat
        seat.place.set_volume(self.settings.volume)
        if self.settings.muted and seat.listening is not None:
            seat.listening.mute(True)

    @property
    def found(self) -> Seat:
        """The place.

        Raises:
            NotReady: there is none.
        """
        if self.seat is None:
            raise NotReady(self._absent)
        return self.seat

    async def say(
        self, text: str, source: str, session: str, interrupt: bool, priority: int, volume: int | None,
        language: str | None,
    ) -> Ticket:  # fmt: skip
        """Queue an announcement."""
        if volume is not None and not 0 <= volume <= 100:
            raise Refused(f"volume {volume}: give 0 to 100")
        seat = self.found
        request = Request(
            "say", self._source or source, checked(text, seat.max_text), self._session(session),
            priority + (100 if interrupt else 0), volume, language or seat.language,
        )  # fmt: skip
        seat.place.submit(request)
        if interrupt and seat.place.current is not request:
            await seat.place.interrupt()
        return request.ticket()

    async def ask(self, text: str, source: str, session: str) -> Ticket:
        """Answer a written question."""
        seat, session = self.found, self._session(session)
        await seat.place.sessions.admit(session)
        request = Request(
            "ask", self._source or source, checked(text, seat.max_text), session, 10, language=seat.language
        )
        seat.place.submit(request)
        return request.ticket()

    async def ring(self, text: str) -> Ticket:
        """Ring as a timer does."""
        seat = self.found
        request = Request("ring", "timer", text, self.session, 5, language=seat.language)
        seat.place.submit(request)
        return request.ticket()

    async def withdraw(self, turn: int) -> None:
        """End one turn, wherever it is."""
        if self.seat is not None:
            await self.seat.place.withdraw(turn)

    async def listen(self) -> None:
        """Hear a request now."""
        listening = self.found.listening
        if listening is None:
            raise Refused("there is no microphone")
        if self.settings.muted:
            raise Refused("it is muted: unmute it first")
        listening.listen()

    async def stop(self) -> None:
        """End what is going on."""
        await self.found.place.stop()

    async def mute(self, on: bool) -> None:
        """Close the microphone or open it."""
        # Obeyed at any time: a house that is still opening is muted as it opens.
        changed, self.settings.muted = on != self.settings.muted, on
        if self.seat is not None and self.seat.listening is not None:
            self.seat.listening.mute(on)
        if changed:
            self.keep(self.settings)
            self._news.publish(SettingChanged("mute", on))

    async def set_volume(self, percent: int) -> None:
        """Set the loudness."""
        if not 0 <= percent <= 100:
            raise Refused(f"volume {percent}: give 0 to 100")
        if self.seat is not None:
            self.seat.place.set_volume(percent)
        if percent != self.settings.volume:
            self.settings.volume = percent
            self.keep(self.settings)
            self._news.publish(SettingChanged("volume", percent))

    def _session(self, wanted: str) -> str:
        return wanted if self.session == ROOM else self.session


here: contextvars.ContextVar[Orders | None] = contextvars.ContextVar("orders", default=None)
"""In a visitor's turn: whose commands are meant where a responder gives one."""
