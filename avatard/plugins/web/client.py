"""One browser on its socket."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from avatard.plugins.web import wire
from avatard.plugins.web.outbox import Outbox

Page = Literal["room", "talk", "control"]
Stream = Literal["canvas", "h264", "none"]

STALLED = 30.0
"""Seconds in which a browser must have taken a message."""
FAREWELL = 2.0
"""Seconds that it has for saying goodbye."""
SILENT = 1.0
"""Seconds after which what it said of its playing counts no more."""


@dataclass(slots=True, eq=False)
class Client:
    """Who it is, what waits for it, and how far it has played."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    address: str
    page: Page
    stream: Stream
    sound: bool
    """Whether it wants to sound."""
    session: str = ""
    since: float = field(default_factory=time.monotonic)
    outbox: Outbox = field(default_factory=Outbox)
    answer: int = 0
    """The answer that it plays."""
    heard: float = 0.0
    """How far, seconds."""
    heard_at: float = -1e9
    """When it said so, monotonic seconds."""
    playing: Stream = "none"
    """In which form it gets the answer in progress."""
    _goodbye: tuple[int, str] | None = None
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a text message when its turn comes."""
        self.put(wire.text(message))

    def put(self, data: str | bytes) -> None:
        """Send this when its turn comes."""
        self.outbox.put(data)
        if self.outbox.full:
            self.close(wire.TOO_MANY, "too slow")

    def played(self, answer: int, at: float) -> None:
        """It says how far it has played the answer."""
        self.answer, self.heard, self.heard_at = answer, at, time.monotonic()

    def hears(self, answer: int) -> float | None:
        """How far the answer was heard there; None where it does not say."""
        waited = time.monotonic() - self.heard_at
        return self.heard if self.answer == answer and waited < SILENT else None

    def close(self, code: int, reason: str) -> None:
        """End the connection; what waits is not sent any more."""
        if self._goodbye is None:
            self._goodbye = (code, reason)
            self._leaving.set()

    async def write(self) -> None:
        """Send what waits, for ever."""
        while True:
            data = await self.outbox.take()
            async with asyncio.timeout(STALLED):
                if isinstance(data, str):
                    await self.socket.send_str(data)
                else:
                    await self.socket.send_bytes(data)

    async def left(self) -> None:
        """Return once it is to be closed."""
        await self._leaving.wait()

    async def goodbye(self) -> None:
        """Close the socket; one that takes nothing is cut."""
        code, reason = self._goodbye or (wire.AWAY, "")
        try:
            async with asyncio.timeout(FAREWELL):
                await self.socket.close(code=code, message=reason.encode()[:120])
        except (TimeoutError, ConnectionError):
            self.cut()

    def cut(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()
