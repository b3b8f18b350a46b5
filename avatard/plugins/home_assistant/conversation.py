"""Home Assistant as a responder, and as a tool for a language model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from avatard.api.context import PluginContext
from avatard.api.errors import StageFailed
from avatard.api.flow import ReplyToken, SessionView, SpokenGrammar, Transcript
from avatard.api.stages import Responder
from avatard.api.tools import Tool
from avatard.plugins.home_assistant.answer import Answer
from avatard.plugins.home_assistant.config import ConversationConfig
from avatard.plugins.home_assistant.threads import Threads

DESCRIPTION = (
    "Control or ask the smart home: lights, switches, blinds, heating, locks, scenes, sensors, shopping list. Give one "
    "plain sentence such as 'turn on the kitchen light' or 'what is the temperature in the bedroom'."
)


class Asked(Protocol):
    """Who is asked."""

    async def ask(self, text: str, language: str, conversation: str = "") -> Answer:
        """Have a sentence answered."""


class HomeResponder:
    """Answers what Home Assistant understands, and None otherwise."""

    def __init__(self, home: Asked, threads: Threads, pass_on: tuple[str, ...]) -> None:
        """Ask this home; errors with these codes are the next one's to answer."""
        self._home, self._threads, self._pass_on = home, threads, pass_on

    def grammar(self, language: str) -> SpokenGrammar | None:
        """None of its own: what a house has is not known here."""
        return None

    async def reply(self, heard: Transcript, session: SessionView) -> AsyncIterator[ReplyToken] | None:
        """Ask Home Assistant."""
        answer = await self._home.ask(heard.text, heard.language, self._threads.of(session.id))
        if answer.error in self._pass_on:
            return None
        self._threads.keep(session.id, answer.conversation)
        return _words(_said(answer))


def _said(answer: Answer) -> str:
    if answer.error and not answer.text:
        raise StageFailed("conversation", "home_assistant", f"it answers with the error {answer.error[:80]!r} alone")
    return answer.text


async def _words(text: str) -> AsyncGenerator[ReplyToken, None]:
    if text:
        yield ReplyToken(text)


def tool(home: Asked, language: str) -> Tool:
    """Home Assistant as a tool; each call is a conversation of its own."""

    async def call(arguments: Mapping[str, Any]) -> str:
        answer = await home.ask(arguments["sentence"], language)
        if answer.error == "no_intent_match":
            return "error: Home Assistant did not understand the sentence; say it more simply, or give up"
        words = _said(answer) or "done"
        return f"error: {words}" if answer.error else words

    sentence = {"type": "string", "description": f"one sentence, in the language {language!r}"}
    schema = {"type": "object", "properties": {"sentence": sentence}, "required": ["sentence"]}
    return Tool("home_assistant", DESCRIPTION, schema, call)


@asynccontextmanager
async def async_setup(context: PluginContext, config: ConversationConfig) -> AsyncIterator[Responder]:
    """Nothing is opened: Home Assistant may come later. The tool is there while this is open."""
    from avatard.plugins.home_assistant.engine import Home

    home = Home(config)
    with context.tools.offer(tool(home, context.language)):
        yield HomeResponder(home, Threads(context.clock), config.pass_on)
