"""A ranking of engines for one stage: the first that can be had serves; a failure steps down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from avatard.api.errors import NotReady, OutOfMemory, StageFailed

T = TypeVar("T")
log = logging.getLogger(__name__)


class Ranking(Generic[T]):
    """Engines in the order of the configuration, opened when they are needed."""

    def __init__(self, stage: str, candidates: Sequence[tuple[str, Callable[[], Awaitable[T]]]]) -> None:
        """Take (name, opener) pairs, the best first."""
        self.stage = stage
        self._candidates = list(candidates)
        self._opened: dict[int, T] = {}
        self._at = 0
        self._opening = asyncio.Lock()

    @property
    def known(self) -> bool:
        """Whether the configuration names any."""
        return bool(self._candidates)

    @property
    def name(self) -> str:
        """The engine that serves."""
        return self._candidates[self._at][0]

    @property
    def serving(self) -> T | None:
        """The engine that serves; None while it was not opened yet."""
        return self._opened.get(self._at)

    async def engine(self) -> T:
        """Open, if need be, and return the engine that serves.

        Raises:
            NotReady, OutOfMemory, StageFailed: of the last one, when none can be had.
        """
        async with self._opening:
            if not self._candidates:
                raise NotReady(f"no {self.stage} is configured: add '{self.stage}:' to the configuration")
            while self._at not in self._opened:
                _, opener = self._candidates[self._at]
                try:
                    self._opened[self._at] = await opener()
                except (NotReady, OutOfMemory, StageFailed) as err:
                    if not self.step_down(err):
                        raise
            return self._opened[self._at]

    def step_down(self, why: Exception) -> bool:
        """Let the next one serve; False where there is none."""
        if self._at + 1 >= len(self._candidates):
            return False
        log.warning("%s: %s does not serve (%s); going on with %s", self.stage, self.name, why,
                    self._candidates[self._at + 1][0])  # fmt: skip
        self._at += 1
        return True
