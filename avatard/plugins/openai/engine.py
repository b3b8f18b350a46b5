"""The server: what is asked of it, and what comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp

from avatard.api.chat import Message, ToolCall
from avatard.api.errors import NotReady, StageFailed
from avatard.plugins.openai.config import ConversationConfig
from avatard.plugins.openai.events import Broken, Events, Reply

CONNECT_LIMIT = 5.0
"""Seconds until the server must have taken the connection."""
LOG = "see the server's log"
PER_TOKEN = 3
"""Bytes of UTF-8 text that count as one token, on the safe side: the server's tokenizer is not known here."""
PER_MESSAGE = 8
"""Tokens that a chat template adds to a message, on the safe side."""


class Server:
    """Talks to the server; one connection for each reply, so that closing it stops the model."""

    def __init__(self, config: ConversationConfig) -> None:
        """Nothing is asked yet."""
        self._config = config

    async def count(self, messages: list[Message], tools: list[dict[str, Any]]) -> int:
        """An estimate that is rather too high."""
        every = [*messages, *tools]
        return sum(len(json.dumps(m, ensure_ascii=False).encode()) // PER_TOKEN + PER_MESSAGE for m in every)

    async def stream(
        self, messages: list[Message], tools: list[dict[str, Any]]
    ) -> AsyncGenerator[str | ToolCall, None]:
        """Yield the reply as it comes.

        Raises:
            NotReady: the server is away, or too busy.
            StageFailed: it refused, or its answer broke off.
        """
        config = self._config
        body: dict[str, Any] = {
            "model": config.model, "messages": messages, "stream": True, "max_tokens": config.max_tokens,
            "temperature": config.temperature,
        }  # fmt: skip
        if tools:
            body["tools"] = tools
        headers = {"Authorization": f"Bearer {config.api_key.get_secret_value()}"} if config.api_key else {}
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_LIMIT)
        url = f"{config.url}/chat/completions"
        try:
            async with aiohttp.ClientSession(timeout=limits) as session:
                async with session.post(url, json=body, headers=headers, allow_redirects=False) as response:
                    if response.status != 200:
                        await self._refused(response)
                    async for piece in self._pieces(response):
                        yield piece
        except (aiohttp.ClientError, OSError) as err:
            raise NotReady(f"conversation: openai: {config.url}: {err}; is the server running?") from err

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncGenerator[str | ToolCall, None]:
        events, reply = Events(), Reply()
        try:
            async for data in response.content.iter_any():
                for event in events.feed(data):
                    if text := reply.take(event):
                        yield text
                if events.done:
                    break
        except Broken as err:
            raise self._failed(f"{err}; {LOG}") from err
        except aiohttp.ClientPayloadError as err:
            raise self._failed(f"the answer broke off ({err}); {LOG}") from err
        if not (events.done or reply.finished):
            raise self._failed(f"the answer broke off; {LOG}")
        for call in reply.calls():
            yield call

    async def _refused(self, response: aiohttp.ClientResponse) -> None:
        text = (await response.content.read(300)).decode("utf-8", "replace")
        what = f"status {response.status}: {' '.join(text.split()) or response.reason}"
        if response.status in (408, 425, 429, 500, 502, 503, 504):
            raise NotReady(f"conversation: openai: {self._config.url}: {what}; {LOG}")
        if response.status in (401, 403):
            what += " (is api_key right?)"
        if response.status == 404:
            what += f" (is url right, and is there a model {self._config.model!r}?)"
        raise self._failed(what)

    def _failed(self, what: str) -> StageFailed:
        return StageFailed("conversation", "openai", f"{self._config.url}: {what}")
