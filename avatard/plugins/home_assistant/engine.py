"""Home Assistant over its REST API."""

from __future__ import annotations

import json

import aiohttp

from avatard.api.errors import NotReady, StageFailed
from avatard.plugins.home_assistant.answer import Answer, understood
from avatard.plugins.home_assistant.config import ConversationConfig

CONNECT_LIMIT = 5.0
"""Seconds until the connection must stand."""
LARGEST = 1 << 20
"""Bytes of an answer."""


class Home:
    """Talks to Home Assistant; one connection for each sentence."""

    def __init__(self, config: ConversationConfig) -> None:
        """Nothing is asked yet."""
        self._config = config

    async def ask(self, text: str, language: str, conversation: str = "") -> Answer:
        """Have a sentence answered.

        Raises:
            NotReady: Home Assistant is away, or too slow.
            StageFailed: it refused, or its answer is none.
        """
        config = self._config
        body = {"text": text, "language": language}
        body |= {"conversation_id": conversation} if conversation else {}
        body |= {"agent_id": config.agent_id} if config.agent_id else {}
        headers = {"Authorization": f"Bearer {config.token.get_secret_value()}"}
        limits = aiohttp.ClientTimeout(total=config.seconds, sock_connect=CONNECT_LIMIT)
        try:
            async with aiohttp.ClientSession(timeout=limits) as session:
                # A redirect would carry the token to another machine.
                async with session.post(
                    f"{config.url}/api/conversation/process", json=body, headers=headers, allow_redirects=False
                ) as response:
                    data = await _whole(response)
                    if response.status != 200:
                        raise self._refused(response, data)
        except TimeoutError as err:
            raise self._away(f"no answer in {config.seconds:g} s; if it is only slow, raise seconds") from err
        except aiohttp.InvalidURL as err:
            raise self._failed("it is no address: correct url") from err
        except (aiohttp.ClientError, OSError) as err:
            raise self._away(f"{err or type(err).__name__}; is it running, and is url right?") from err
        if data is None:
            raise self._failed(f"an answer of more than {LARGEST} bytes; is url right?")
        try:
            return understood(json.loads(data))
        except (ValueError, RecursionError) as err:
            raise self._failed(f"no answer to a conversation: {str(err)[:200]}; is url right?") from err

    def _refused(self, response: aiohttp.ClientResponse, data: bytes | None) -> NotReady | StageFailed:
        said = " ".join((data or b"")[:300].decode("utf-8", "replace").split())
        what = f"status {response.status}: {said or response.reason}"
        if response.status in (408, 425, 429) or response.status >= 500:
            return self._away(f"{what}; see its log")
        if 300 <= response.status < 400:
            what += f": it has moved to {response.headers.get('Location', 'nowhere')[:200]!r}; correct url"
        if response.status == 400:
            what += f" (is agent_id {self._config.agent_id!r} right?)" if self._config.agent_id else ""
        if response.status in (401, 403):
            what += (
                " (the token is not accepted: make a long-lived access token in Home Assistant, under your profile, "
                "Security, and put it in token)"
            )
        if response.status == 404:
            what += " (is url right, and has it the conversation integration?)"
        return self._failed(what)

    def _away(self, what: str) -> NotReady:
        return NotReady(f"conversation: home_assistant: {self._config.url}: {what}")

    def _failed(self, what: str) -> StageFailed:
        return StageFailed("conversation", "home_assistant", f"{self._config.url}: {what}")


async def _whole(response: aiohttp.ClientResponse) -> bytes | None:
    """The body; None where it is too large."""
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > LARGEST:
            return None
    return bytes(data)
