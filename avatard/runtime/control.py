"""The Unix socket: one JSON line asks, JSON lines answer, the last has ``ok``."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from avatard.api.door import Assistant, Ticket, TimerView
from avatard.api.errors import AvatardError, NotReady, Refused
from avatard.api.news import News, ReplyText

log = logging.getLogger(__name__)

LONGEST = 256 * 1024
"""Bytes in one line."""


class Control:
    """Answers one connection after another, several at a time."""

    def __init__(self, assistant: Assistant, news: News) -> None:
        """Obey through the assistant."""
        self._assistant, self._news = assistant, news

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        try:
            answer = await self._answer(reader, writer)
            await _send(writer, answer)
        except (ConnectionError, BrokenPipeError):
            log.debug("a command's sender went away")
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, Any]:
        try:
            request = json.loads((await reader.readline()).decode())
            if not isinstance(request, dict):
                raise Refused("a JSON object is needed")
            return {"ok": True, **await self._do(request, writer)}
        except (ValueError, OverflowError, RecursionError) as err:
            return {"ok": False, "error": f"not a command: {err}"}
        except (KeyError, TypeError) as err:
            return {"ok": False, "error": f"not a command: {err!r} is missing or of the wrong kind"}
        except AvatardError as err:
            return {"ok": False, "error": str(err)}

    async def _do(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> dict[str, Any]:
        door = self._assistant
        match request["do"]:
            case "say":
                options = {k: request[k] for k in ("interrupt", "priority", "volume", "session") if k in request}
                return await _finished(await door.say(_text(request), source="cli", **options))
            case "ask":
                with self._news.subscribe(256) as news:
                    ticket = await door.ask(_text(request), source="cli", session=request.get("session", "room"))
                    telling = asyncio.ensure_future(_tell(news, ticket, writer))
                    try:
                        return await _finished(ticket)
                    finally:
                        telling.cancel()
            case "listen":
                await door.listen()
            case "stop":
                await door.stop()
            case "mute":
                await door.mute(bool(request["on"]))
            case "volume":
                await door.set_volume(int(request["percent"]))
            case "set_timer":
                return dataclasses.asdict(await door.set_timer(float(request["seconds"]), _name(request)))
            case "add_to_timer":
                seconds = float(request["seconds"])
                return _found(await door.add_to_timer(seconds, request.get("id"), _name(request)))
            case "cancel_timer":
                return _found(await door.cancel_timer(request.get("id"), _name(request)))
            case "status":
                return dataclasses.asdict(door.status())
            case other:
                raise Refused(f"unknown command {other!r}")
        return {}


def _text(request: dict[str, Any]) -> str:
    if not isinstance(request["text"], str):
        raise Refused("the text must be text")
    return request["text"]


def _name(request: dict[str, Any]) -> str:
    return str(request.get("name", ""))


def _found(timer: TimerView | None) -> dict[str, Any]:
    if timer is None:
        raise Refused("there is no such timer")
    return dataclasses.asdict(timer)


async def _finished(ticket: Ticket) -> dict[str, Any]:
    return dataclasses.asdict(await ticket.finished)


async def _tell(news: Any, ticket: Ticket, writer: asyncio.StreamWriter) -> None:
    async for event in news:
        if isinstance(event, ReplyText) and event.turn == ticket.turn:
            await _send(writer, {"text": event.text})


async def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    await writer.drain()


@asynccontextmanager
async def control_socket(path: Path, control: Control) -> AsyncIterator[None]:
    """Listen on the socket while the block runs; only this user may connect.

    Raises:
        NotReady: another daemon with this id answers on it, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            try:
                _, writer = await asyncio.open_unix_connection(path)
            except OSError:
                path.unlink()
            else:
                writer.close()
                raise NotReady(f"{path}: a daemon with this id runs already; stop it, or give this one another 'id:'")
        # Begun below, so that whoever cancels it finds a server to close.
        server = await asyncio.start_unix_server(control.serve, path, limit=LONGEST, start_serving=False)
    except OSError as err:
        raise NotReady(f"{path}: {err.strerror}; set XDG_RUNTIME_DIR to a folder of yours") from err
    try:
        path.chmod(0o600)
        await server.start_serving()
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)
