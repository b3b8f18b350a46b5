"""Who has come: browsers are let in, welcomed, and belong to the room or to a place of their own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

from aiohttp import web

from avatard.api.context import PluginContext
from avatard.api.door import Assistant
from avatard.api.errors import AvatardError, NotReady
from avatard.api.news import Touched
from avatard.plugins.web import wire
from avatard.plugins.web.app import VISITOR
from avatard.plugins.web.client import Client, Page, Stream
from avatard.plugins.web.commands import Commands, Hello
from avatard.plugins.web.config import BridgeConfig
from avatard.plugins.web.connection import HEARTBEAT, LARGEST_FRAME, Conversation, introduced
from avatard.plugins.web.display import BrowserDisplay
from avatard.plugins.web.visitor import TooMany, Visitors, session_of
from avatard.plugins.web.welcome import Welcome

SOCKETS, SOCKETS_EACH = 32, 16
"""Sockets in all, and from one address."""
LATER = 1013
"""Close code: try again later."""


class Room:
    """The place of those who only look: the room's display and commands. Fulfils ``connection.Place``."""

    def __init__(self, context: PluginContext, display: BrowserDisplay) -> None:
        """Give commands to the room."""
        self.commands = Commands(context.assistant, "room")
        self.display = display
        self._context = context

    def played(self, client: Client, answer: int, at: float) -> None:
        """Its clock is asked by the display."""
        client.played(answer, at)

    def touched(self) -> None:
        """The screen wakes."""
        self._context.news.publish(Touched("web"))

    async def talk(self, on: bool) -> None:
        """A touch on the room's page has it listen."""

    def heard(self, data: bytes) -> None:
        """Nobody talks here."""
        raise ValueError("sound is taken on /talk only")


class Reception:
    """Takes sockets."""

    def __init__(self, context: PluginContext, config: BridgeConfig, room: BrowserDisplay, welcome: Welcome,
                 visitors: Visitors) -> None:  # fmt: skip
        """Show the room on ``room``."""
        self.clients: set[Client] = set()
        self.dropped = 0
        """Pictures that those who have left were too slow for."""
        self._context, self._config, self._room = context, config, Room(context, room)
        self._welcome, self._visitors = welcome, visitors
        self._welcomed: dict[Client, tuple[BrowserDisplay, Assistant, Any]] = {}
        self._addresses: Counter[str] = Counter()
        self._closing: tuple[int, str] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each page, and how many pictures were dropped."""
        pages = Counter(client.page for client in self.clients)
        dropped = self.dropped + sum(client.outbox.dropped for client in self.clients)
        return {page: pages[page] for page in ("room", "talk", "control")} | {"dropped": dropped}

    def tell(self, message: dict[str, Any], pages: Iterable[Page] = ("room", "talk", "control")) -> None:
        """Tell all who look at one of these pages."""
        data: str | None = None
        for client in self.clients:
            if client.page in pages:
                data = data or wire.text(message)
                client.put(data)

    async def take(self, request: web.Request, admitted: bool) -> web.StreamResponse:
        """Serve a socket to its end."""
        address = request.remote or ""
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT, timeout=2.0, max_msg_size=LARGEST_FRAME, compress=False, autoclose=True
        )
        await socket.prepare(request)
        if not admitted:
            await socket.close(code=wire.TOKEN, message=b"a token is needed")
            return socket
        if self._addresses.total() >= SOCKETS or self._addresses[address] >= SOCKETS_EACH:
            await socket.close(code=wire.TOO_MANY, message=b"too many connections")
            return socket
        self._addresses[address] += 1
        try:
            hello = await introduced(socket)
            if hello is not None:
                await self._serve(self._client(request, socket, address, hello), request, hello)
        finally:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
        return socket

    async def close(self, code: int, reason: str) -> None:
        """Close all sockets; whoever comes is sent away."""
        self._closing = (code, reason)
        for client in list(self.clients):
            client.close(code, reason)
        for _ in range(60):
            if not self.clients:
                return
            await asyncio.sleep(0.05)
        for client in list(self.clients):
            client.cut()

    def look_again(self) -> None:
        """Welcome those again to whom the daemon looks otherwise than they were told.

        The configuration may have been read again, or the renderer was only opened for who looks.
        """
        looks = self._welcome.looks()
        for client, (display, assistant, told) in list(self._welcomed.items()):
            if told != looks:
                self._greet(client, display, assistant, None)

    def _greet(
        self, client: Client, display: BrowserDisplay, assistant: Assistant, answer: dict[str, Any] | None
    ) -> None:
        client.tell(self._welcome.message(client, display, assistant, answer))
        if client.page == "control":
            for message in self._welcome.history():
                client.tell(message)
        self._welcomed[client] = (display, assistant, self._welcome.looks())
        self._welcome.films.want()

    def _client(self, request: web.Request, socket: web.WebSocketResponse, address: str, hello: Hello) -> Client:
        page = cast("Page", hello.page)
        asked = hello.stream or ("none" if page == "control" else "auto")
        stream = asked if asked != "auto" else self._config.stream
        if stream == "auto" or (stream == "h264" and self._context.encoder is None):
            stream = "canvas"
        sound = hello.sound and page != "control"
        return Client(socket, request.transport, address, page, cast("Stream", stream), sound)

    async def _serve(self, client: Client, request: web.Request, hello: Hello) -> None:
        if self._closing is not None:
            client.close(*self._closing)
            await client.goodbye()
            return
        self.clients.add(client)
        try:
            if client.page == "talk":
                await self._visit(client, session_of(request.cookies.get(VISITOR) or hello.session))
            elif client.page == "control" and not self._config.control:
                client.close(wire.POLICY, "there is no control page")
            else:
                await self._look(client)
        finally:
            self.clients.discard(client)
            self._welcomed.pop(client, None)
            self.dropped += client.outbox.dropped
            await client.goodbye()

    async def _look(self, client: Client) -> None:
        display = self._room.display
        self._greet(client, display, self._context.assistant, display.begin(client))
        display.catch_up(client)
        display.clients.add(client)
        try:
            await Conversation(client, self._room).run()
        finally:
            display.clients.discard(client)

    async def _visit(self, client: Client, session: str) -> None:
        try:
            async with self._visitors.admitted(client, session) as visitor:
                self._greet(client, visitor.display, visitor.assistant, None)
                await Conversation(client, visitor).run(visitor.tell_news(client))
        except TooMany as err:
            client.close(wire.TOO_MANY, str(err))
        except NotReady as err:
            client.close(LATER, str(err))
        except AvatardError as err:
            client.close(wire.POLICY, str(err))
