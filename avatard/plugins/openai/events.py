"""Server-sent events of a streamed chat completion, however the bytes are cut.

Source: the WHATWG HTML standard, section 9.2 (server-sent events); OpenAI's API reference, "chat.completion.chunk".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from avatard.api.chat import ToolCall

LONGEST = 1 << 20
"""Bytes in one event."""
CALLS = 8
"""Tool calls that are put together from one reply."""


class Broken(Exception):
    """The stream is not what it should be."""


class Events:
    """Takes bytes and gives the data of whole events."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._bytes = bytearray()
        self.done = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Add bytes; yield what is whole.

        Raises:
            Broken: it is too long or no JSON object.
        """
        self._bytes += data
        while (end := self._bytes.find(b"\n")) >= 0:
            line = bytes(self._bytes[:end]).strip()
            del self._bytes[: end + 1]
            if not line.startswith(b"data:"):
                continue
            body = line[5:].strip()
            if body == b"[DONE]":
                self.done = True
                continue
            try:
                event = json.loads(body.decode("utf-8", "replace"))
            except (ValueError, RecursionError) as err:
                raise Broken(f"no JSON in {body[:80]!r}") from err
            if not isinstance(event, dict):
                raise Broken(f"no object in {body[:80]!r}")
            yield event
        if len(self._bytes) > LONGEST:
            raise Broken(f"an event of more than {LONGEST} bytes")


class Reply:
    """Puts a streamed reply together."""

    def __init__(self) -> None:
        """Nothing has come."""
        self.finished = False
        self._calls: dict[int, list[str]] = {}

    def take(self, event: dict[str, Any]) -> str:
        """Take a chunk; return the text in it.

        Raises:
            Broken: the server says that it failed.
        """
        if error := event.get("error"):
            said = error.get("message") if isinstance(error, dict) else error
            raise Broken(f"the server says: {str(said)[:200]}")
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        self.finished |= choice.get("finish_reason") is not None
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return ""
        parts = delta.get("tool_calls")
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                self._put(part)
        content = delta.get("content")
        return content if isinstance(content, str) else ""

    def calls(self) -> list[ToolCall]:
        """The tool calls in it."""
        found = sorted(self._calls.items())
        return [ToolCall(id or f"call_{at}", name, text) for at, (id, name, text) in found if name]

    def _put(self, part: dict[str, Any]) -> None:
        at = part.get("index", 0)
        if not isinstance(at, int) or (at not in self._calls and len(self._calls) >= CALLS):
            return
        call = self._calls.setdefault(at, ["", "", ""])
        function = part.get("function") if isinstance(part.get("function"), dict) else {}
        assert isinstance(function, dict)
        for place, piece in enumerate((part.get("id"), function.get("name"), function.get("arguments"))):
            if isinstance(piece, str) and len(call[place]) + len(piece) <= LONGEST:
                call[place] = call[place] + piece if place == 2 else call[place] or piece
