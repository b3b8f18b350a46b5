"""Replies from a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.errors import StageFailed
from avatard.api.flow import ReplyToken, SessionView, SpokenGrammar, Transcript
from avatard.api.stages import Responder
from avatard.plugins.scripted.config import ConversationConfig


class ScriptedResponder:
    """Answers what is in its list."""

    def __init__(self, config: ConversationConfig) -> None:
        """Know the list."""
        self._config = config

    def grammar(self, language: str) -> SpokenGrammar | None:
        """It takes anything."""
        return None

    async def reply(self, heard: Transcript, session: SessionView) -> AsyncIterator[ReplyToken] | None:
        """Look it up."""
        if self._config.fail:
            raise StageFailed("conversation", "scripted", "as its configuration says")
        text = self._config.replies.get(heard.text, self._config.replies.get("*"))
        return None if text is None else self._tokens(text.replace("{}", heard.text))

    async def _tokens(self, text: str) -> AsyncGenerator[ReplyToken, None]:
        while True:
            for word in text.split():
                await asyncio.sleep(self._config.token_ms / 1000)
                yield ReplyToken(word + " ")
            if not self._config.endless:
                return


@asynccontextmanager
async def async_setup(context: PluginContext, config: ConversationConfig) -> AsyncIterator[Responder]:
    """Nothing to open."""
    yield ScriptedResponder(config)
