"""An OpenAI-compatible server as a responder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.chat import Chat, Terms
from avatard.api.context import PluginContext
from avatard.api.flow import ReplyToken, SessionView, SpokenGrammar, Transcript
from avatard.api.stages import Responder
from avatard.plugins.openai.config import ConversationConfig


class OpenaiResponder:
    """Answers whatever comes to it."""

    def __init__(self, chat: Chat) -> None:
        """Ask through this conversation."""
        self._chat = chat

    def grammar(self, language: str) -> SpokenGrammar | None:
        """It takes anything."""
        return None

    async def reply(self, heard: Transcript, session: SessionView) -> AsyncIterator[ReplyToken] | None:
        """Ask the server."""
        return await self._chat.reply(heard, session)


@asynccontextmanager
async def async_setup(context: PluginContext, config: ConversationConfig) -> AsyncIterator[Responder]:
    """Nothing is opened: the server may come later."""
    from avatard.plugins.openai.engine import Server

    terms = Terms(
        "openai", config.persona, context.title, context.language, config.context, config.max_tokens, config.seconds,
        config.stall_seconds, config.tools,
    )  # fmt: skip
    yield OpenaiResponder(Chat(Server(config), context.tools, terms))
