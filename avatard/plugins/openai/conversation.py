"""An OpenAI-compatible server as a responder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.chat import Chat, Terms
from avatard.api.context import PluginContext
from avatard.api.stages import Responder
from avatard.plugins.openai.config import ConversationConfig


@asynccontextmanager
async def async_setup(context: PluginContext, config: ConversationConfig) -> AsyncIterator[Responder]:
    """Nothing is opened: the server may come later."""
    from avatard.plugins.openai.engine import Server

    terms = Terms(
        "openai", config.persona, context.title, context.language, config.context, config.max_tokens, config.seconds,
        config.stall_seconds, config.tools,
    )  # fmt: skip
    yield Chat(Server(config), context.tools, terms)
