"""A small house for the pages: speaks PROTOCOL.md as a script tells it to, so that a test knows every message."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

import avatard.plugins.web as plugin

PAGES = Path(plugin.__path__[0]) / "pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
NAMES = {"/": "index.html", "/talk": "talk.html", "/control": "control.html", "/login": "login.html"}
LEAST = 0.4
"""Seconds that a frame is sent ahead of its time."""


@dataclass(frozen=True, slots=True)
class Take:
    """An answer that was recorded beforehand: a picture and its sound for each 40 ms, and its sentences."""

    jpegs: Sequence[bytes]
    sounds: Sequence[bytes]
    sentences: Sequence[tuple[float, str]] = ()
    size: int = 512


@dataclass(slots=True)
class House:
    """The server's side, in a test's hands."""

    film: bytes = b""
    still: bytes = b""
    welcome: dict[str, Any] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    """Every message that came from a page."""
    bytes: bytearray = field(default_factory=bytearray)
    """The sound that came."""
    sizes: list[int] = field(default_factory=list)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    refuse: str = ""
    port: int = 0
    runner: web.AppRunner | None = None
    paths: list[str] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def send(self, type: str, **fields: Any) -> None:
        for socket in list(self.sockets):
            await socket.send_str(json.dumps({"type": type, **fields}))

    async def send_bytes(self, data: bytes) -> None:
        for socket in list(self.sockets):
            await socket.send_bytes(data)

    async def answer(
        self, number: int, take: Take, *, end: bool = True, follow: bool = False, pace: bool = True
    ) -> None:
        """Speak it at its pace, a little ahead."""
        await self.send("begin", answer=number, width=take.size, height=take.size, fps=25, rate=48000,
                        stream="canvas", follow=follow)  # fmt: skip
        loop = asyncio.get_running_loop()
        start = loop.time()
        for index, (jpeg, sound) in enumerate(zip(take.jpegs, take.sounds, strict=True)):
            for at, (pts, text) in enumerate(take.sentences):
                if round(pts * 25) == index:
                    await self.send("sentence", answer=number, index=at, text=text, pts=pts)
            await self.send_bytes(frame(number, index, jpeg, b"" if follow else sound))
            if pace:
                await asyncio.sleep(max(0.0, start + index / 25 - LEAST - loop.time()))
            if follow and index % 3 == 0:
                await self.send("position", answer=number, at=max(0.0, loop.time() - start))
        if end:
            await self.send("end", answer=number, duration=len(take.jpegs) / 25)

    async def until(self, type: str, **fields: Any) -> dict[str, Any]:
        """Wait for a page's message."""
        wanted = {"type": type, **fields}
        async with asyncio.timeout(15):
            while True:
                for message in self.told:
                    if wanted.items() <= message.items():
                        return message
                await asyncio.sleep(0.02)

    async def open(self) -> None:
        application = web.Application()
        for path in NAMES:
            application.router.add_get(path, self._page)
        application.router.add_get("/static/{name}", self._static)
        application.router.add_get("/idle/{name}", self._idle)
        application.router.add_get("/preview/face/{name}", self._idle)
        application.router.add_get("/api/status", self._status)
        application.router.add_get("/ws", self._socket)
        self.runner = web.AppRunner(application, shutdown_timeout=0.2)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def close(self) -> None:
        for socket in list(self.sockets):
            await socket.close(code=4000)
        self.sockets.clear()
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    def _send_file(self, name: str, types: dict[str, str]) -> web.Response:
        path = PAGES / name
        if not path.is_file():
            raise web.HTTPNotFound
        return web.Response(
            body=path.read_bytes(), content_type=types[path.suffix], charset="utf-8",
            headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"},
        )  # fmt: skip

    async def _page(self, request: web.Request) -> web.Response:
        return self._send_file(NAMES[request.path], {".html": "text/html"})

    async def _static(self, request: web.Request) -> web.Response:
        types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
        return self._send_file(request.match_info["name"], types)

    async def _idle(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith(".mp4"):
            return web.Response(body=self.film, content_type="video/mp4", headers={"Accept-Ranges": "none"})
        return web.Response(body=self.still, content_type="image/jpeg")

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response({"state": "idle"})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=65_536)
        await socket.prepare(request)
        hello = json.loads(await socket.receive_str(timeout=5))
        self.told.append(hello)
        await socket.send_str(json.dumps({"type": "welcome", "page": hello["page"], **WELCOME, **self.welcome}))
        self.sockets.append(socket)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    await self._take(socket, json.loads(message.data))
                elif message.type == WSMsgType.BINARY:
                    self.bytes += message.data
                    self.sizes.append(len(message.data))
        finally:
            if socket in self.sockets:
                self.sockets.remove(socket)
        return socket

    async def _take(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        self.told.append(message)
        if "id" in message:
            answer = {"ok": False, "error": self.refuse} if self.refuse else {"ok": True, "turn": 7}
            await socket.send_str(json.dumps({"type": "answer", "id": message["id"], **answer}))


WELCOME: dict[str, Any] = {
    "title": "Kitchen", "id": "kitchen", "language": "en", "version": "0.1.0", "sound": True, "stream": "canvas",
    "state": "idle", "muted": False, "volume": 60, "face": "apricot", "faces": ["apricot", "pear", "plum"],
    "voice": "en", "voices": ["en", "de"], "screen": None, "tier": "normal", "wake_phrases": ["okay nabu"],
    "timers": [], "idle": {"film": "/idle/k.mp4", "still": "/idle/k.jpg"}, "answer": None,
}  # fmt: skip


def frame(answer: int, index: int, jpeg: bytes, sound: bytes) -> bytes:
    """A message of kind 1."""
    return struct.pack("<BBHIII", 1, 0 if jpeg else 1, 0, answer, index * 40, len(sound)) + sound + jpeg


@asynccontextmanager
async def house(**fields: Any) -> AsyncIterator[House]:
    """Open a house; leaving the block closes it."""
    it = House(**fields)
    await it.open()
    try:
        yield it
    finally:
        await it.close()
