"""The governor: keeps the daemon and its children within their memory, and gives models room."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Protocol

import psutil

from avatard.api.context import Pulse
from avatard.api.errors import OutOfMemory, Refused
from avatard.api.news import News, Tier, TierChanged
from avatard.runtime.budget import budget_of, room_mb, strain, too_little
from avatard.runtime.config.core import Memory, Step
from avatard.runtime.ledger import Ledger
from avatard.runtime.model import trim
from avatard.runtime.process import memory_mb
from avatard.runtime.shedding import Belongings
from avatard.runtime.tiers import ORDER, Ladder, higher
from avatard.talk.sessions import Sessions

log = logging.getLogger(__name__)

CALM, WATCHFUL = 5.0, 1.0
"""Seconds between two looks."""
ALIVE_WITHIN = 90.0
"""Seconds in which a look ends, whatever has to be put down."""
JUST_USED = 2.0
"""Seconds; a model used so lately is needed by the turn in progress, however short memory is."""
WORTH_TELLING = 1.0
"""Megabytes; a trim that gave back less is no news."""
MARGIN = 32.0
"""Megabytes of the machine that are left alone."""


class Sign(Protocol):
    """Where the tier is shown: the door."""

    tier: Tier


class Governor:
    """Fulfils ``api.context.Admission``."""

    def __init__(
        self, settings: Memory, source: str, remembered: Path, sessions: Sessions, sign: Sign, news: News, *,
        measure: Callable[[], float] = memory_mb, strained: Callable[[], Tier] = strain,
        room: Callable[[float], float] = room_mb, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Govern by these settings of the place ``source``; what models take is remembered in ``remembered``."""
        self._ledger = Ledger(remembered)
        self.belongings = Belongings(self._ledger, sessions, clock)
        self._ladder = Ladder(settings)
        self._sign, self._news = sign, news
        self._measure, self._strained, self._room, self._clock = measure, strained, room, clock
        self._thread = ThreadPoolExecutor(1, "governor")
        self._load = asyncio.Lock()
        self.memory_mb = 0.0
        """What was measured last."""
        self._opening, self._shed = False, 0
        self._chain, self._beyond = set[str](), set[str]()
        self.configure(settings, source)
        sessions.check = self._admit_session

    @property
    def tier(self) -> Tier:
        """Where we stand."""
        return self._ladder.tier

    @asynccontextmanager
    async def opening(self, settings: Memory, source: str) -> AsyncIterator[None]:
        """Other settings from now on, for the house that opens in the block; where it fails, those of before."""
        before = self._settings, self._source
        self.configure(settings, source)
        self._opening = True
        try:
            yield
        except BaseException:  # whatever keeps the house from opening, the one before it goes on
            self.configure(*before)
            raise
        finally:
            self._opening = False

    async def weigh(self) -> None:
        """All engines of the house are open: look whether they fit.

        Raises:
            ConfigError: the budget is smaller than the engines that were chosen.
        """
        self._chain = {m.name for m in self.belongings.models if m.loaded or m.name in self._chain}
        needed = await self._measured()
        if needed <= self.budget_mb:
            return
        raise too_little(self._source, self._settings, self.budget_mb, needed)

    async def run(self, pulse: Pulse) -> None:
        """Look at the memory, for ever."""
        while True:
            pulse.beat(ALIVE_WITHIN)
            await self.look()
            await asyncio.sleep(CALM if self.tier == "normal" else WATCHFUL)

    def close(self) -> None:
        """End the thread that measures."""
        self._thread.shutdown(wait=False)

    async def look(self) -> None:
        """Measure once, and do what the tier asks for."""
        await self._measured()
        if self._opening:
            return
        async with aclosing(self.belongings.put_down_retired(JUST_USED)) as done:
            async for what in done:
                await self._tell(what)
        pressed, before = self._strained(), self.tier
        moved = self._ladder.look(self._percent(), pressed, self._clock())
        if self.tier != before:
            self._enter(before)
        await self._relieve(pressed)
        if moved and higher(before, self.tier) == before:
            self._recover()

    @asynccontextmanager
    async def loading(self, name: str, megabytes: float) -> AsyncIterator[None]:
        """Make room, then hold other loads back while the block loads the model, and note what it really took."""
        async with self._load:
            measured = self._ledger.megabytes(name, megabytes)
            await self._make_room(name, megabytes if measured is None else measured)
            before, shed = await self._measured(), self._shed
            yield
            # What was needed only to load is not the model's; measured and kept, it would count for ever.
            await asyncio.get_running_loop().run_in_executor(self._thread, trim)
            took = await self._measured() - before
            if shed == self._shed and took > 0:
                self._ledger.note(name, took, megabytes)

    def left(self, name: str) -> None:
        """The model was unloaded: what is measured meanwhile says nothing about a load."""
        self._shed += 1

    def configure(self, settings: Memory, source: str) -> None:
        """Other settings from now on; ``source`` names their file and line."""
        self._settings = self._ladder.settings = settings
        self._source = source
        self.budget_mb = budget_of(settings.budget_mb)

    async def _admit_session(self) -> None:
        if self.belongings.refusing:
            raise Refused(
                f"memory is short ({self.memory_mb:.0f} of {self.budget_mb:.0f} MB): no further session is begun; "
                "ask again later, or in the session 'room'"
            )

    async def _make_room(self, name: str, needed: float) -> None:
        if await self._measured() + needed <= (limit := self.budget_mb * self._settings.shed_percent / 100):
            return
        for step in (*self._settings.steps.tidy, *self._settings.steps.shed):
            # A house that opens needs all of its engines: one is not put down for the next.
            if self._opening and step == "unload_models":
                continue
            async with aclosing(self.belongings.do(step, JUST_USED, name)) as done:
                async for what in done:
                    await self._tell(what)
                    if self.memory_mb + needed <= limit:
                        return
        if not self._needed_by_all(name) or self._room(self.memory_mb) - MARGIN < needed:
            self.belongings.refused[name] = needed
            raise OutOfMemory(
                f"{name} needs {needed:.0f} MB, {self.memory_mb:.0f} of {self.budget_mb:.0f} MB are in use, and "
                "nothing more can be put down: give memory.budget_mb more, or choose a smaller engine"
            )
        if name not in self._beyond and not self._opening:
            self._beyond.add(name)
            log.warning("%s: loaded beyond the budget (%.0f MB on top of %.0f of %.0f): nothing smaller could serve",
                        name, needed, self.memory_mb, self.budget_mb)  # fmt: skip

    def _needed_by_all(self, name: str) -> bool:
        """Whether nobody could be answered without it: the last of its ranking, or part of the house from the start."""
        place = self.belongings.ranking_of(name)
        if place is not None:
            ranking, engine = place
            return engine == ranking.names[-1]
        return self._opening or name in self._chain

    async def _relieve(self, pressed: Tier) -> None:
        """Do the steps of each tier in order, as long as memory asks for that tier."""
        steps = self._settings.steps
        plan: tuple[tuple[Tier, tuple[Step, ...]], ...] = (
            ("tidy", steps.tidy), ("shed", steps.shed), ("survive", steps.survive),
        )  # fmt: skip
        for tier, several in plan:
            for step in several:
                if not self._asks_for(tier, pressed):
                    return
                async with aclosing(self.belongings.do(step, self._patience())) as done:
                    async for what in done:
                        await self._tell(what)
                        if not self._asks_for(tier, pressed):
                            return

    def _patience(self) -> float:
        """How long a model must not have been used, seconds."""
        return min(JUST_USED, self._settings.idle_seconds) if self.tier == "survive" else self._settings.idle_seconds

    def _asks_for(self, tier: Tier, pressed: Tier) -> bool:
        asked = higher(self._ladder.asked(self._percent()), pressed)
        return ORDER.index(asked) >= ORDER.index(tier)

    def _enter(self, before: Tier) -> None:
        self._sign.tier = self.tier
        if self.tier == "normal":
            self._beyond.clear()
        if self.tier != "survive":
            self.belongings.refusing = False
        say = log.info if higher(before, self.tier) == before else log.warning
        say("memory: tier %s: %.0f of %.0f MB", self.tier, self.memory_mb, self.budget_mb)
        self._news.publish(TierChanged(self.tier, (), 0.0, self.memory_mb, self.budget_mb))

    def _recover(self) -> None:
        """A calm while has passed: one engine may serve again, where what it takes leaves things calm."""
        room = self.budget_mb * self._settings.tidy_percent / 100 - self.memory_mb
        if (engine := self.belongings.step_up(room)) is not None:
            self._announce(f"step_up: {engine}", 0.0)

    async def _tell(self, what: str) -> None:
        """Measure what a step gave back, and make it known."""
        freed = self.memory_mb - await self._measured()
        self._shed += 1
        if what != "trim" or freed >= WORTH_TELLING:
            self._announce(what, max(0.0, freed))

    def _announce(self, what: str, freed: float) -> None:
        log.info("memory: %s (%.0f MB given back; %.0f of %.0f)", what, freed, self.memory_mb, self.budget_mb)
        self._news.publish(TierChanged(self.tier, (what,), round(freed, 1), self.memory_mb, self.budget_mb))

    def _percent(self) -> float:
        return self.memory_mb / self.budget_mb * 100

    async def _measured(self) -> float:
        try:
            self.memory_mb = await asyncio.get_running_loop().run_in_executor(self._thread, self._measure)
        except psutil.Error as err:  # a child that ends while it is looked at
            log.debug("memory was not measured: %s", err)
        return self.memory_mb
