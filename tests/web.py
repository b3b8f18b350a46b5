"""A scripted house with its pages, and browsers made of a WebSocket."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from avatard.api.errors import first_cause
from avatard.runtime.bridges import Bridges
from avatard.runtime.config import Configuration, from_mapping
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.house import House, furnished

TOKEN = "a-token-for-the-tests-1234"
LIMIT = 15.0
HEADER = struct.Struct("<BBHIII")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def configured(web: dict[str, Any] | None = None, **changes: Any) -> Configuration:
    """Scripted stages at real pace, and the pages; the browsers are the clock where ``display`` is not given."""
    data: dict[str, Any] = {
        "name": "test", "avatar": {"render": ["scripted"]}, "sounds": {"wake": False},
        **{d: {"platform": "scripted"} for d in ("wake_word", "vad", "stt", "encoder", "conversation", "microphone")},
        "tts": {"platform": "scripted", "seconds_per_word": 0.2}, "display": [],
        "web": {"port": free_port(), **(web or {})},
    }  # fmt: skip
    return from_mapping(data | changes)


@dataclass
class Pages:
    """What a test has of a running daemon with pages."""

    house: House
    foundation: Foundation
    bridges: Bridges
    url: str
    session: aiohttp.ClientSession

    @asynccontextmanager
    async def viewer(self, page: str = "room", stream: str = "canvas", **hello: Any) -> AsyncIterator[Viewer]:
        """A browser that looks at a page."""
        headers = hello.pop("headers", {})
        async with self.session.ws_connect(f"{self.url}/ws", headers=headers, max_msg_size=0) as ws:
            viewer = Viewer(ws)
            await viewer.send(type="hello", page=page, stream=stream, **{"sound": True, **hello})
            yield viewer


@asynccontextmanager
async def paged(configuration: Configuration) -> AsyncIterator[Pages]:
    """The house, its bridges, and a client without cookies of its own."""
    options = configuration.stages["bridge"][0].options
    try:
        async with open_foundation(configuration) as foundation, Bridges(foundation) as bridges:
            async with furnished(configuration, foundation) as house:
                await bridges.become(configuration)
                jar = aiohttp.CookieJar(unsafe=True)
                async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(LIMIT)) as session:
                    yield Pages(house, foundation, bridges, f"http://127.0.0.1:{options.port}", session)
    except BaseExceptionGroup as group:
        raise first_cause(group) from None


@dataclass
class Binary:
    """A binary message, taken apart."""

    kind: int
    flags: int
    answer: int
    pts: float
    sound: bytes
    data: bytes

    @classmethod
    def of(cls, message: bytes) -> Binary:
        kind, flags, nothing, answer, pts, sound = HEADER.unpack_from(message)
        assert nothing == 0
        return cls(kind, flags, answer, pts / 1000, message[16 : 16 + sound], message[16 + sound :])


@dataclass
class Viewer:
    """One socket and all that came over it."""

    ws: aiohttp.ClientWebSocketResponse
    texts: list[dict[str, Any]] = field(default_factory=list)
    binaries: list[Binary] = field(default_factory=list)
    order: list[dict[str, Any] | Binary] = field(default_factory=list)
    closed: tuple[int, str] | None = None

    async def send(self, **message: Any) -> None:
        await self.ws.send_str(json.dumps(message))

    async def read(self) -> dict[str, Any] | Binary | None:
        """The next message; None where the socket was closed."""
        message = await self.ws.receive(LIMIT)
        if message.type is aiohttp.WSMsgType.TEXT:
            text: dict[str, Any] = json.loads(message.data)
            self.texts.append(text)
            self.order.append(text)
            return text
        if message.type is aiohttp.WSMsgType.BINARY:
            binary = Binary.of(message.data)
            self.binaries.append(binary)
            self.order.append(binary)
            return binary
        self.closed = (self.ws.close_code or 0, str(message.extra or ""))
        return None

    async def until(self, want: str | Callable[[Any], object], seconds: float = LIMIT) -> dict[str, Any]:
        """Read up to a text message of this type, or one that fits."""
        def fits(message: Any) -> object:
            return message["type"] == want if isinstance(want, str) else want(message)

        async with asyncio.timeout(seconds):
            while True:
                message = await self.read()
                assert message is not None, f"closed {self.closed} before {want}: {self.texts[-5:]}"
                if isinstance(message, dict) and fits(message):
                    return message

    async def end(self, seconds: float = LIMIT) -> tuple[int, str]:
        """Read up to the close; return its code and reason."""
        async with asyncio.timeout(seconds):
            while await self.read() is not None:
                pass
        assert self.closed is not None
        return self.closed

    async def command(self, do: str, id: int = 1, **more: Any) -> dict[str, Any]:
        """Give a command; return its answer."""
        await self.send(type=do, id=id, **more)
        return await self.until(lambda m: m["type"] == "answer" and m["id"] == id)
