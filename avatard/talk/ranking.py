"""A ranking of engines for one stage: the first that can be had serves; a failure or want of memory steps down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Sequence
from typing import Generic, Literal, TypeVar

from avatard.api.errors import ConfigError, NotReady, OutOfMemory, StageFailed
from avatard.api.news import EngineChanged, News, Problem

T = TypeVar("T")
Reason = Literal["memory", "speed"]
"""What an engine that steps aside for a while is short of."""
log = logging.getLogger(__name__)


class Ranking(Generic[T]):
    """Engines in the order of the configuration, opened when they are needed."""

    def __init__(
        self, stage: str, candidates: Sequence[tuple[str, Callable[[], Awaitable[T]]]], news: News | None = None,
        ailing: Container[str] = (),
    ) -> None:  # fmt: skip
        """Take (name, opener) pairs, the best first; tell the news who serves, and who is ``ailing`` no more."""
        self.stage = stage
        self._candidates = list(candidates)
        self._news, self._ailing = news, ailing
        self._opened: dict[int, T] = {}
        self._broken: set[str] = set()
        """What the user must change: two engines may be of one platform."""
        self._aside: dict[int, Reason | Literal["failure"]] = {}
        self._at = 0
        self._opening = asyncio.Lock()

    @property
    def known(self) -> bool:
        """Whether the configuration names any."""
        return bool(self._candidates)

    @property
    def names(self) -> tuple[str, ...]:
        """Every engine, the best first."""
        return tuple(name for name, _ in self._candidates)

    @property
    def position(self) -> int:
        """Which of the names serves; 0 is the best."""
        return self._at

    @property
    def name(self) -> str:
        """The engine that serves."""
        return self._candidates[self._at][0]

    @property
    def serving(self) -> T | None:
        """The engine that serves; None while it was not opened yet."""
        return self._opened.get(self._at)

    @property
    def below(self) -> str | None:
        """The engine that would serve next; None where there is none."""
        return self._candidates[self._at + 1][0] if self._at + 1 < len(self._candidates) else None

    @property
    def above(self) -> str | None:
        """The engine that stepped aside for want of memory and may serve again; None where there is none."""
        return self.above_for("memory")

    async def engine(self) -> T:
        """Open, if need be, and return the engine that serves.

        Raises:
            ConfigError, NotReady, OutOfMemory, StageFailed: of the last one, when none can be had.
        """
        async with self._opening:
            if not self._candidates:
                raise NotReady(f"no {self.stage} is configured: add '{self.stage}:' to the configuration")
            while (at := self._at) not in self._opened:
                _, opener = self._candidates[at]
                try:
                    self._opened[at] = await opener()
                    self._tell(at, "")
                except (ConfigError, NotReady, OutOfMemory, StageFailed) as err:
                    # While it was tried, the governor may have chosen another already.
                    if at == self._at and (self.below is None or not self.step_down(err)):
                        raise
            return self._opened[at]

    def above_for(self, reason: Reason) -> str | None:
        """The engine that stepped aside for this reason and may serve again; None where there is none."""
        at = self._above(reason)
        return None if at is None else self._candidates[at][0]

    async def better(self, reason: Reason) -> T | None:
        """Open the engine that stepped aside for this reason, without letting it serve.

        Raises:
            ConfigError, NotReady, OutOfMemory, StageFailed: it cannot be had.
        """
        async with self._opening:
            at = self._above(reason)
            if at is not None and at not in self._opened:
                self._opened[at] = await self._candidates[at][1]()
            return self._opened[at] if at is not None else None

    def step_down(self, why: Exception | str, reason: Reason = "memory") -> bool:
        """Let the next one serve; False where there is none.

        An engine that failed stays aside; one that stepped aside for want of memory or speed comes back with
        ``step_up``, which only whoever looks after that can say. What the user must change is a problem
        until it was opened all the same.
        """
        if isinstance(why, ConfigError):
            self._tell(self._at, str(why))
        if self.below is None:
            return False
        log.warning("%s: %s does not serve (%s); going on with %s", self.stage, self.name, why, self.below)
        if self._aside.get(self._at) != "failure":
            self._aside[self._at] = "failure" if isinstance(why, StageFailed | NotReady | ConfigError) else reason
        self._go_to(self._at + 1, str(why))
        return True

    def give_up(self, engine: T, why: Exception) -> bool:
        """Let the next one serve in the place of this engine, which failed; False where there is none.

        Another turn may have met with the same failure, so that another engine serves already.
        """
        return self.serving is not engine or self.step_down(why)

    def step_up(self, why: str, reason: Reason = "memory") -> bool:
        """Let the next better one serve that did not fail, where it stepped aside for this reason; else False."""
        at = self._above(reason)
        if at is None:
            return False
        self._aside.pop(at)
        log.info("%s: %s serves again (%s)", self.stage, self._candidates[at][0], why)
        self._go_to(at, why)
        return True

    def _tell(self, at: int, what: str) -> None:
        """Tell what is wrong with an engine; nothing: it can be had, where something was wrong before."""
        where = f"{self.stage}.{self._candidates[at][0]}"
        if what:
            self._broken.add(where)
        elif where in self._broken or where not in self._ailing:
            return
        if self._news is not None:
            self._news.publish(Problem(where, what, over=not what))

    def _above(self, reason: Reason) -> int | None:
        at = next((at for at in range(self._at - 1, -1, -1) if self._aside.get(at) != "failure"), None)
        return at if at is not None and self._aside.get(at) == reason else None

    def _go_to(self, at: int, why: str) -> None:
        self._at = at
        if self._news is not None:
            self._news.publish(EngineChanged(self.stage, self.name, why))
