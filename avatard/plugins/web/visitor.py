"""A browser that talks: a microphone, a display and a session of its own."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext, Visit
from avatard.api.errors import AvatardError, Refused
from avatard.api.news import EngineChanged, Health, TierChanged, Touched
from avatard.plugins.web import wire
from avatard.plugins.web.client import Client
from avatard.plugins.web.commands import Commands
from avatard.plugins.web.display import BrowserDisplay
from avatard.plugins.web.microphone import BrowserMicrophone

ROOM_ONLY = (EngineChanged, TierChanged, Health, Touched)
"""News that all hear from the room already."""


class TooMany(Refused):
    """Nobody else can talk for the moment."""


class Visitor:
    """Fulfils ``connection.Place``."""

    def __init__(self, context: PluginContext, visit: Visit, display: BrowserDisplay, microphone: BrowserMicrophone,
                 session: str) -> None:  # fmt: skip
        """What the browser commands concerns this visit alone."""
        self.commands = Commands(visit.assistant, session)
        self.assistant = visit.assistant
        self.display = display
        self._context, self._visit, self._microphone = context, visit, microphone

    def played(self, client: Client, answer: int, at: float) -> None:
        """Its clock is asked by the display."""
        client.played(answer, at)

    def touched(self) -> None:
        """It is a person's own screen."""
        self._context.news.publish(Touched("web/talk"))

    async def talk(self, on: bool) -> None:
        """Listen while the button is pressed."""
        if not on:
            self._microphone.hush()
            return
        try:
            await self._visit.assistant.listen()
        except AvatardError as err:
            for client in self.display.clients:
                client.tell({"type": "problem", "where": "talk", "what": str(err), "over": False})

    async def tell_news(self, client: Client) -> None:
        """Tell what happens in this place, for ever."""
        with self._visit.news.subscribe(256) as news:
            async for event in news:
                if not isinstance(event, ROOM_ONLY) and (message := wire.news(event)) is not None:
                    client.tell(message)

    def heard(self, data: bytes) -> None:
        """Listen to this."""
        self._microphone.feed(data)


class Visitors:
    """Lets in as many as may talk at once."""

    def __init__(
        self, context: PluginContext, limit: int, display: Callable[[], BrowserDisplay],
        among: set[BrowserDisplay],
    ) -> None:  # fmt: skip
        """``display()`` makes one for a browser; those in use are in ``among``."""
        self._context, self._limit, self._display, self._among = context, limit, display, among
        self._here: set[str] = set()
        self._count = 0

    @asynccontextmanager
    async def admitted(self, client: Client, session: str) -> AsyncIterator[Visitor]:
        """Have a place while the block runs.

        Raises:
            TooMany: as many talk as may.
            NotReady: the daemon is starting.
        """
        if self._count >= self._limit:
            raise TooMany(f"{self._count} talk already: try again later" if self._limit else "nobody may talk here")
        self._count += 1
        display, microphone = self._display(), BrowserMicrophone()
        display.clients.add(client)
        try:
            async with self._context.visit("web", microphone, display, session) as visit:
                self._among.add(display)
                try:
                    yield Visitor(self._context, visit, display, microphone, session)
                finally:
                    self._among.discard(display)
        finally:
            self._count -= 1


def session_of(cookie: str) -> str:
    """Whose history it is: one browser's; a browser that keeps no cookie begins anew each time."""
    return "web-" + hashlib.sha256((cookie or secrets.token_hex(16)).encode()).hexdigest()[:12]
