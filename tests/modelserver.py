"""A server of files that does as it is told: cuts, stalls, lies, sends elsewhere."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from aiohttp import web


def gguf(size: int, seed: int = 0) -> bytes:
    """Bytes that begin like a language model."""
    rest = np.random.default_rng(seed).bytes(size - 24)
    return b"GGUF" + struct.pack("<IQQ", 3, 7, 5) + rest


@dataclass
class Offer:
    """One file, and how its next requests are answered; then whole."""

    data: bytes
    plan: list[str] = field(default_factory=list)
    """``cut N``, ``stall N``, ``slow N`` (bytes a second), a status, ``promise N`` (bytes it says), ``chunked``,
    ``norange``, ``to URL``, ``linked URL SUM``, ``etag TEXT``; the last one for ever where it ends with ``!``."""
    etag: str = '"one"'


class ModelServer:
    """What is offered, and what was asked for."""

    def __init__(self) -> None:
        self.offers: dict[str, Offer] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []
        """Path, Range, If-Range."""
        self.base = ""

    def offer(self, path: str, data: bytes, *plan: str, etag: str = '"one"') -> str:
        """Offer a file; returns its address."""
        self.offers[path] = Offer(data, list(plan), etag)
        return f"{self.base}/{path}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.lstrip("/")
        headers = request.headers
        self.asked.append((path, headers.get("Range"), headers.get("If-Range")))
        offer = self.offers.get(path)
        if offer is None:
            return web.Response(status=404, text="<html>not here</html>")
        step = offer.plan[0] if offer.plan else "whole"
        if offer.plan and not step.endswith("!"):
            offer.plan.pop(0)
        word, _, value = step.rstrip("!").partition(" ")
        if word.isdecimal():
            return web.Response(status=int(word), text="<html>an error</html>")
        if word == "to":
            return web.Response(status=302, headers={"Location": value})
        if word == "linked":
            url, _, told = value.partition(" ")
            return web.Response(status=302, headers={"Location": url, "X-Linked-Etag": f'"{told}"'})
        return await self._send(request, offer, word, value)

    async def _send(self, request: web.Request, offer: Offer, word: str, value: str) -> web.StreamResponse:
        data, begin = offer.data, 0
        asked, same = request.headers.get("Range"), request.headers.get("If-Range", offer.etag) == offer.etag
        if asked and same and word != "norange":
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
        answer = web.StreamResponse(status=206 if begin else 200)
        if offer.etag:
            answer.headers["ETag"] = value if word == "etag" else offer.etag
        if begin:
            answer.headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        rest = data[begin:]
        if word == "chunked":
            answer.enable_chunked_encoding()
        else:
            answer.content_length = int(value) if word == "promise" else len(rest)
        await answer.prepare(request)
        stop = int(value) if word in ("cut", "stall") else len(rest)
        step = max(1, int(value) // 20) if word == "slow" else 1 << 16
        for at in range(0, stop, step):
            await answer.write(rest[at : min(stop, at + step)])
            if word == "slow":
                await asyncio.sleep(0.05)
        if word == "stall":
            await asyncio.sleep(3600)
        if word in ("cut", "promise") and request.transport is not None:
            request.transport.close()
        return answer


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[ModelServer]:
    """Serve on a free port of this machine."""
    server = ModelServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    server.base = f"{'https' if context else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
