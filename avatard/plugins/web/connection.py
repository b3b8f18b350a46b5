"""One socket from its hello to its end: what comes is checked, what is too much ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from aiohttp import WSMessage, WSMsgType, web
from pydantic import ValidationError

from avatard.api.allowance import Allowance
from avatard.plugins.web import wire
from avatard.plugins.web.client import Client
from avatard.plugins.web.commands import LARGEST, Commands, Garbage, Hello, Played, Talk, parsed

HELLO_LIMIT = 5.0
"""Seconds in which the first message must have come."""
HEARTBEAT = 20.0
"""Seconds of silence after which a browser is asked for a sign of life; it has half as long to give one."""
LARGEST_FRAME = 64 * 1024
"""Bytes in a WebSocket message before it is not even read to its end."""
PER_SECOND, BURST = 150.0, 400
"""Messages that a browser may send: sound in pieces of 20 ms makes 50 a second."""
ORDERS = 16
"""Commands that may wait for the one before."""


class Place(Protocol):
    """Whom a socket belongs to: the room, or a visitor."""

    commands: Commands

    def played(self, client: Client, answer: int, at: float) -> None:
        """The browser has played the answer so far."""

    def touched(self) -> None:
        """A person touched the page."""

    async def talk(self, on: bool) -> None:
        """The button to talk was pressed or released."""

    def heard(self, data: bytes) -> None:
        """Sound came.

        Raises:
            ValueError: not such sound, or not here.
        """


class Conversation:
    """Reads a browser's messages, obeys its commands and sends what waits for it, until one of them ends."""

    def __init__(self, client: Client, place: Place) -> None:
        """Nothing was read yet."""
        self._client, self._place = client, place
        self._orders: asyncio.Queue[dict[str, Any]] = asyncio.Queue(ORDERS)
        self._allowance = Allowance(PER_SECOND, BURST)
        self._touches = Allowance(1.0, 3)

    async def run(self, *more: Coroutine[Any, Any, None]) -> None:
        """Return when the socket has closed, or is to be closed; run ``more`` beside it."""
        client = self._client
        parts = [self._read(), client.write(), self._obey(), client.left(), *more]
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._quietly(part)) for part in parts]
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in running:
                task.cancel()

    async def _quietly(self, part: Any) -> None:
        try:
            await part
        except (ConnectionError, TimeoutError):
            self._client.cut()  # it went away, or takes nothing

    async def _read(self) -> None:
        async for message in self._client.socket:
            if not self._allowance.take():
                self._client.close(wire.TOO_MANY, "too many messages")
                return
            try:
                if not self._took(message):
                    return
            except Garbage as err:
                self._client.close(wire.INVALID, str(err))
                return

    def _took(self, message: WSMessage) -> bool:
        client = self._client
        if message.type is WSMsgType.BINARY:
            try:
                self._place.heard(message.data)
            except ValueError as err:
                client.close(wire.UNSUPPORTED, str(err))
                return False
            return True
        if message.type is not WSMsgType.TEXT:
            return False
        if len(message.data.encode(errors="replace")) > LARGEST:
            client.close(wire.TOO_BIG, f"at most {LARGEST} bytes of text are taken")
            return False
        return self._understood(parsed(message.data))

    def _understood(self, message: dict[str, Any]) -> bool:
        client, kind = self._client, message["type"]
        try:
            if kind == "played":
                played = Played.model_validate(message)
                self._place.played(client, played.answer, played.at)
                return True
            if kind == "talk":
                Talk.model_validate(message)
        except ValidationError as err:
            raise Garbage(f"{kind}: {err.errors()[0]['msg']}") from err
        if kind == "touch":
            if self._touches.take():
                self._place.touched()
        elif kind == "talk" or self._place.commands.knows(message):
            return self._ordered(message)
        elif isinstance(message.get("id"), int):
            client.tell({"type": "answer", "id": message["id"], "ok": False, "error": f"unknown command {kind[:40]!r}"})
        else:
            raise Garbage(f"unknown message {kind[:40]!r}")
        return True

    def _ordered(self, message: dict[str, Any]) -> bool:
        if self._orders.full():
            self._client.close(wire.TOO_MANY, "too many commands at once")
            return False
        self._orders.put_nowait(message)
        return True

    async def _obey(self) -> None:
        while True:
            message = await self._orders.get()
            if message["type"] == "talk":
                await self._place.talk(message["on"])
            else:
                self._client.tell(await self._place.commands.obey(message))


async def introduced(socket: web.WebSocketResponse) -> Hello | None:
    """Wait for the first message; where it does not come or is none, close the socket and return None."""
    try:
        message = await socket.receive(HELLO_LIMIT)
        if message.type is WSMsgType.TEXT and len(message.data) <= LARGEST:
            first = parsed(message.data)
            if first["type"] == "hello":
                return Hello.model_validate(first)
    except (TimeoutError, Garbage, ValidationError):
        pass
    await socket.close(code=wire.NO_HELLO, message=b"a hello is needed first")
    return None
