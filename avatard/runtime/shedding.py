"""What can be put down to give memory back, and how."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any, Protocol

from avatard.api.context import Cache
from avatard.api.errors import StageFailed
from avatard.runtime.config.core import Step
from avatard.runtime.holds import Holds
from avatard.runtime.ledger import Ledger
from avatard.runtime.model import give_back_memory
from avatard.talk.ranking import Ranking
from avatard.talk.sessions import Sessions

log = logging.getLogger(__name__)

TRIM_PAUSE = 30.0
"""Seconds; collecting garbage holds up everything else for a moment, so it is not done again at once."""


class Tenant(Protocol):
    """A model, as the governor sees it."""

    name: str
    holds: Holds
    megabytes: float
    """What its plugin expects it to take."""

    @property
    def loaded(self) -> bool:
        """Whether it takes memory."""

    async def unload(self) -> None:
        """Give the memory back."""


class Belongings:
    """Everything that takes memory; each step is a generator that yields what it did, one thing at a time."""

    def __init__(self, ledger: Ledger, sessions: Sessions, clock: Callable[[], float]) -> None:
        """Nothing is here yet but the sessions."""
        self.models: list[Tenant] = []
        self.caches: list[tuple[int, str, Cache]] = []
        self.rankings: list[Ranking[Any]] = []
        self.refused: dict[str, float] = {}
        """Models for which there was no room, and what they would have taken, megabytes."""
        self.refusing = False
        """Whether further sessions are refused."""
        self.end_visits: Callable[[], list[str]] = list
        """Ends every visit in which nobody speaks; says whose they were."""
        self._ledger, self._sessions, self._clock = ledger, sessions, clock
        self._trimmed = float("-inf")

    def megabytes(self, model: Tenant) -> float:
        """What the model takes: as measured at its last load, else what its plugin expects."""
        measured = self._ledger.megabytes(model.name)
        return model.megabytes if measured is None else measured

    def cost(self, stage: str, engine: str) -> float:
        """What all models of an engine take; 0 where that is not known."""
        name = f"{stage}.{engine}"
        known = [self.megabytes(m) for m in self.models if _of(m.name, name)]
        return sum(known) if known else self._ledger.megabytes(name) or self.refused.get(name, 0.0)

    def ranking_of(self, name: str) -> tuple[Ranking[Any], str] | None:
        """The ranking that the model serves in, and its engine there."""
        for ranking in self.rankings:
            for engine in ranking.names:
                if _of(name, f"{ranking.stage}.{engine}"):
                    return ranking, engine
        return None

    def idle(self, seconds: float, but: str = "") -> list[Tenant]:
        """The loaded models that nobody uses and that were not used for so long, the largest first."""
        now = self._clock()
        idle = [m for m in self.models
                if m.loaded and m.name != but and not m.holds.count and now - m.holds.last >= seconds]  # fmt: skip
        return sorted(idle, key=self.megabytes, reverse=True)

    async def do(self, step: Step, idle_seconds: float, but: str = "") -> AsyncGenerator[str, None]:
        """Do one step; each thing that it does is yielded once it is done.

        Args:
            step: its name in the configuration.
            idle_seconds: how long a model must not have been used to be put down.
            but: the model for which room is made.
        """
        match step:
            case "expire_sessions":
                if gone := self._sessions.expire():
                    yield f"expire_sessions: {', '.join(gone)}"
            case "drop_caches":
                for _, name, cache in sorted(self.caches, key=lambda entry: entry[:2]):
                    if _dropped(name, cache):
                        yield f"drop_caches: {name}"
            case "trim":
                if self._clock() - self._trimmed >= TRIM_PAUSE:
                    give_back_memory()
                    self._trimmed = self._clock()
                    yield "trim"
            case "unload_models":
                for model in self.idle(idle_seconds, but):
                    if await self._unloaded(model):
                        yield f"unload_models: {model.name}"
            case "end_sessions":
                if gone := self._sessions.end_idle() + self.end_visits():
                    yield f"end_sessions: {', '.join(gone)}"
            case "refuse_sessions":
                if not self.refusing:
                    self.refusing = True
                    yield "refuse_sessions"
            case "step_down":
                if what := self._stepped_down():
                    yield f"step_down: {what}"

    async def put_down_retired(self, idle_seconds: float) -> AsyncGenerator[str, None]:
        """Unload the models of engines that serve no longer."""
        for model in self.idle(idle_seconds):
            place = self.ranking_of(model.name)
            if place is not None and place[0].name != place[1] and await self._unloaded(model):
                yield f"unload_models: {model.name}"

    def step_up(self, room: float) -> str | None:
        """Let one better engine serve again that fits into so many megabytes; say which."""
        for ranking in self.rankings:
            better = ranking.above
            if better is not None and self.cost(ranking.stage, better) <= room and ranking.step_up("there is room"):
                return f"{ranking.stage}.{better}"
        return None

    async def _unloaded(self, model: Tenant) -> bool:
        if not model.loaded or model.holds.count:
            return False
        try:
            await model.unload()
        except StageFailed as err:
            log.error("%s cannot be put down: %s", model.name, err)
        return not model.loaded

    def _stepped_down(self) -> str | None:
        """Of the engines that have a cheaper one below them, the most expensive steps aside."""
        if any(m.loaded and (p := self.ranking_of(m.name)) and p[0].name != p[1] for m in self.models):
            return None  # The last one that stepped aside is in use still: its memory comes back first.
        costs = [
            (cost, ranking) for ranking in self.rankings
            if ranking.below is not None and (cost := self.cost(ranking.stage, ranking.name)) > 0
            and self.cost(ranking.stage, ranking.below) < cost
        ]  # fmt: skip
        if not costs:
            return None
        _, ranking = max(costs, key=lambda entry: entry[0])
        before = ranking.name
        ranking.step_down("memory is short")
        return f"{ranking.stage}.{before} → {ranking.stage}.{ranking.name}"


def _of(model: str, engine: str) -> bool:
    return model == engine or model.startswith(engine + ".")


def _dropped(name: str, cache: Cache) -> bool:
    try:
        if cache.megabytes <= 0:
            return False
        cache.shed()
        give_back_memory()
    except Exception as err:  # a plugin's cache may fail in any way; the others are dropped all the same
        log.error("cache %s cannot be dropped: %s", name, err, exc_info=err)
        return False
    return True
