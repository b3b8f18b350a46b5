"""The model as one who talks: what it is asked, what it takes, and when it is put down."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from avatard.api.chat import Message, ToolCall
from avatard.api.context import Model, Pulse
from avatard.api.errors import OutOfMemory
from avatard.plugins.llama_cpp.gguf import Gguf
from avatard.plugins.llama_cpp.grammar import grammar
from avatard.plugins.llama_cpp.prompt import plain, read_call

NEVER = 3600.0
"""Seconds between two looks where nothing is ever put down."""


class Llama:
    """Fulfils ``api.chat.Talker`` with a model in a child process."""

    def __init__(
        self, model: Model, file: Gguf, context: int, most: int, idle: float, clock: Callable[[], float]
    ) -> None:
        """Talk through the child.

        Args:
            model: the child; loaded when the first question comes.
            file: what it loads.
            context: tokens that it takes in.
            most: tokens of one reply.
            idle: seconds without a question after which it is put down; 0: never.
            clock: monotonic seconds.
        """
        self._model, self._file, self._context, self._most = model, file, context, most
        self._idle, self._clock = idle, clock
        self._busy, self._last = 0, clock()

    async def count(self, messages: list[Message], tools: list[dict[str, Any]]) -> int:
        """How many tokens they are, exactly."""
        async with self._loaded():
            return int(await self._model.call("count", plain(messages, tools)))

    async def stream(
        self, messages: list[Message], tools: list[dict[str, Any]]
    ) -> AsyncGenerator[str | ToolCall, None]:
        """Yield the reply as it comes."""
        async with self._loaded():
            asked = self._model.stream("stream", plain(messages, tools), grammar(tools), self._most)
            async with aclosing(asked) as items:
                async for item in items:
                    if isinstance(item, dict):
                        yield read_call(item["call"])
                    elif item:
                        yield item

    async def rest(self, pulse: Pulse) -> None:
        """Put the model down whenever it was idle for long enough, for ever."""
        pulse.beat(math.inf)
        while True:
            await asyncio.sleep(self._left if self._idle else NEVER)
            if self._idle and self._left <= 0 and not self._busy:
                await self._model.unload()
                self._last = self._clock()

    @property
    def _left(self) -> float:
        """Seconds until it has been idle for long enough."""
        return max(0.0, self._last + self._idle - self._clock()) if not self._busy else self._idle

    @asynccontextmanager
    async def _loaded(self) -> AsyncIterator[None]:
        self._busy += 1
        try:
            async with self._model.use():
                try:
                    await self._model.load()
                except OutOfMemory as err:
                    weights, cache = self._file.size / 1e6, self._file.cache_mb(self._context)
                    raise OutOfMemory(
                        f"{self._file.path}: {weights:.0f} MB of weights and {cache:.0f} MB for {self._context} tokens "
                        f"of context: {err}"
                    ) from err
                yield
        finally:
            self._busy -= 1
            self._last = self._clock()
