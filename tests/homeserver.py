"""A scripted Home Assistant: its conversation API, as well or as badly as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


def answer(speech: str, kind: str = "action_done", code: str = "", conversation: str = "C1") -> dict[str, Any]:
    """An answer as Home Assistant gives it."""
    data: dict[str, Any] = {"code": code} if code else {"targets": [], "success": [], "failed": []}
    plain = {"plain": {"speech": speech, "extra_data": None}} if speech else {}
    response = {"speech": plain, "card": {}, "language": "en", "response_type": kind, "data": data}
    return {"response": response, "conversation_id": conversation, "continue_conversation": False}


@dataclass
class HomeServer:
    """Answers with its scripts in order, the last one again and again: JSON, bytes, or a whole response."""

    scripts: list[Any]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    strayed: int = 0
    """Requests to other addresses"""
    abandoned: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.tokens.append(request.headers.get("Authorization", ""))
        script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
        if script == "stall":
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.abandoned += 1
                raise
        if script == "cut":
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b'{"response')
            assert request.transport is not None
            request.transport.close()
            return response
        if isinstance(script, tuple):
            status, body, headers = script
            return web.Response(status=status, body=body, headers=headers)
        return web.Response(body=script) if isinstance(script, bytes) else web.json_response(script)

    async def stray(self, request: web.Request) -> web.StreamResponse:
        self.strayed += 1
        return web.json_response(answer("You should not be here."))


@asynccontextmanager
async def home_server(*scripts: Any) -> AsyncIterator[HomeServer]:
    """Run one while the block runs."""
    server = HomeServer(list(scripts))
    app = web.Application()
    app.router.add_post("/api/conversation/process", server.handle)
    app.router.add_route("*", "/{path:.*}", server.stray)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
