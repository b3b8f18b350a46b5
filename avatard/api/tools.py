"""Hands for those who answer: tools that may be called by name, and messages to the house.

What a language model hears, reads and gets back from a tool is untrusted: it chooses among tools that the configuration
allows and fills in their arguments, which are checked; it never writes a topic, an address or a path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that can be done."""

    name: str
    """Letters, digits and underscores."""
    description: str
    """For the language model: when to call it."""
    parameters: dict[str, Any]
    """A JSON schema of type object; its properties are text, numbers or booleans, with ``enum`` and limits."""
    call: Callable[[Mapping[str, Any]], Awaitable[str]]
    """Do it with checked arguments; returns what came of it, in words. Raises AvatardError where it cannot be done."""


class Toolbox(Protocol):
    """The tools that there are."""

    def offer(self, tool: Tool) -> AbstractContextManager[None]:
        """It is there while the block runs."""

    def named(self, names: Sequence[str]) -> list[Tool]:
        """Those of the given names (an allow-list) that are there."""

    async def call(self, name: str, arguments: Any, allowed: Sequence[str]) -> str:
        """Check the arguments and call the tool; what it answers, or why it could not, in words.

        Raises:
            Refused: it is not among the allowed ones, is not there, or its arguments are wrong.
            AvatardError: it could not be done.
        """


class Post(Protocol):
    """Takes messages to the house; the MQTT bridge carries them."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish once, not retained, now or never.

        Raises:
            NotReady: there is no broker now: a command to the house must not come late.
        """

    def carried_by(self, carrier: Callable[[str, bytes], Awaitable[None]]) -> AbstractContextManager[None]:
        """Messages go this way while the block runs."""
