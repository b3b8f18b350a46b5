"""A scripted OpenAI-compatible server: says what it is told to, as fast or as badly as it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Script:
    """One answer."""

    words: list[str] = field(default_factory=list)
    tokens_per_second: float = 1000.0
    calls: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200
    body: bytes = b""
    stall_after: int | None = None
    cut_after: int | None = None
    raw: bytes | None = None
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    """Number of a token → what it waits for"""


@dataclass
class ChatServer:
    """Answers with its scripts in order, the last one again and again."""

    url: str = ""
    scripts: list[Script] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    """When each token was sent, monotonic seconds"""
    abandoned: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.headers.append(dict(request.headers))
        script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
        if script.status != 200:
            return web.Response(status=script.status, body=script.body)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            await self._play(script, response, request)
        except (ConnectionResetError, asyncio.CancelledError):
            self.abandoned += 1
            raise
        return response

    async def _play(self, script: Script, response: web.StreamResponse, request: web.Request) -> None:
        if script.raw is not None:
            await response.write(script.raw)
            return
        for number, word in enumerate(script.words):
            if number == script.stall_after:
                await asyncio.sleep(3600)
            if number == script.cut_after:
                assert request.transport is not None
                request.transport.close()
                return
            if gate := script.gates.get(number):
                await gate.wait()
            await response.write(chunk({"content": word}))
            self.sent.append(asyncio.get_running_loop().time())
            await asyncio.sleep(1 / script.tokens_per_second)
        for number, (name, arguments) in enumerate(script.calls):
            half = len(arguments) // 2
            call = {"index": number, "id": f"c{number}", "function": {"name": name, "arguments": arguments[:half]}}
            await response.write(chunk({"tool_calls": [call]}))
            rest = {"index": number, "function": {"arguments": arguments[half:]}}
            await response.write(chunk({"tool_calls": [rest]}))
        await response.write(chunk({}, finish="tool_calls" if script.calls else "stop") + b"data: [DONE]\n\n")


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    """One event of a streamed completion."""
    event = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(event).encode() + b"\n\n"


@asynccontextmanager
async def chat_server(*scripts: Script) -> AsyncIterator[ChatServer]:
    """Run one while the block runs."""
    server = ChatServer(scripts=list(scripts))
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
