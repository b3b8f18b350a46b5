"""Bridges: each in a task of its own, so that one can be opened and closed without the others."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import AsyncExitStack
from types import TracebackType

from avatard.api.errors import AvatardError, ConfigError, NotReady, first_cause
from avatard.api.news import Problem
from avatard.runtime.config import Configuration, PlatformEntry
from avatard.runtime.foundation import Foundation
from avatard.runtime.lazy import of_the_house
from avatard.runtime.plugin import Opener, displays, imported

log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_LONGEST = 1.0, 60.0
"""Seconds between attempts to open a bridge that is not ready; doubled each time."""
CLOSE_LIMIT, CANCEL_LIMIT = 7.0, 1.0
"""Seconds that a bridge may take to close, and to end once it was cancelled."""


def alike(one: PlatformEntry, other: PlatformEntry) -> bool:
    """Whether two entries open the same thing, wherever they stand in the file."""
    return (one.platform, one.domain, one.options) == (other.platform, other.domain, other.options)


def same(one: Configuration, other: Configuration) -> bool:
    """Whether the house need not be opened again: all but bridges, memory and logging is the same."""
    apart = {"memory", "logging"}
    if one.core.model_dump(exclude=apart) != other.core.model_dump(exclude=apart):
        return False
    domains = (one.stages.keys() | other.stages.keys()) - {"bridge"}
    for domain in domains:
        mine, theirs = one.stages.get(domain, ()), other.stages.get(domain, ())
        if len(mine) != len(theirs) or not all(map(alike, mine, theirs)):
            return False
    return True


def known_as(bridge: Bridge, configuration: Configuration) -> bool:
    """Whether the bridge was opened with what it is told of the whole: who this is, its language, rooms, displays."""
    one, other = bridge.configuration, configuration
    told = [(c.id, c.name, c.language, c.rooms, displays(c)) for c in (one, other)]
    return told[0] == told[1]


class Bridge:
    """One bridge while it is wanted."""

    def __init__(
        self, entry: PlatformEntry, configuration: Configuration, foundation: Foundation, patient: bool
    ) -> None:
        """Nothing is opened yet; a ``patient`` one is tried again even where the user must change something."""
        self.entry, self.configuration = entry, configuration
        self._foundation, self._patient = foundation, patient
        self._serving = False
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self._removed = self._ailing = False
        self._task = foundation.tasks.create_task(self._run(), name=f"bridge {entry.platform}")

    async def opened(self) -> None:
        """Return once it is open, or is being tried again.

        Raises:
            ConfigError: the user must change something.
        """
        await self._opened

    async def close(self, removed: bool) -> None:
        """Close it; ``removed`` where the configuration no longer names it."""
        self._removed = removed
        self._ended.set()
        if not self._serving:
            self._task.cancel()
        _, stuck = await asyncio.wait({self._task}, timeout=CLOSE_LIMIT)
        if stuck:
            log.error("%s did not close within %.0f s", self.entry.platform, CLOSE_LIMIT)
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CANCEL_LIMIT)

    async def _run(self) -> None:
        wait, where = RETRY_FIRST, self.entry.platform
        while not self._ended.is_set():
            try:
                await self._until_ended()
                return
            except BaseExceptionGroup as group:  # a task group wraps what passes through it
                err = first_cause(group)
            except Exception as failure:  # a bridge may fail in any way; the daemon goes on
                err = failure
            self._serving = False
            if self._ended.is_set():
                log.error("%s: while closing: %s", where, err)
                return
            if isinstance(err, ConfigError) and not self._patient and not self._opened.done():
                self._opened.set_exception(err)
                return
            self._settle()
            log.warning("%s: %s; trying again", where, err, exc_info=None if isinstance(err, AvatardError) else err)
            self._foundation.feed.publish(Problem(where, str(err) or type(err).__name__))
            self._ailing = True
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))
            wait = min(RETRY_LONGEST, wait * 2)

    async def _until_ended(self) -> None:
        async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
            encoder = of_the_house(self._foundation.door)
            opener = Opener(stack, tasks, self._foundation, self.configuration, encoder=encoder)
            await opener.open(self.entry)
            self._serving = True
            self._settle()
            if self._ailing:
                self._ailing = False
                self._foundation.feed.publish(Problem(self.entry.platform, "", over=True))
            await self._ended.wait()
            opener.removed = self._removed

    def _settle(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)


async def _check(entry: PlatformEntry) -> None:
    """Let a bridge look at its options, and at the files that they name, before the one that is open closes.

    Raises:
        ConfigError: it cannot be opened with them.
    """
    try:
        check = getattr(imported(entry), "check", None)
    except NotReady:
        return  # opening it tells that, and tries again
    if check is not None:
        await asyncio.to_thread(check, entry.options)


class Bridges:
    """All bridges that the configuration names; leaving the block closes them."""

    def __init__(self, foundation: Foundation) -> None:
        """None is open yet."""
        self._foundation = foundation
        self._open: dict[str, Bridge] = {}

    async def become(self, configuration: Configuration, patient: bool = False) -> None:
        """Close those that are gone or have changed, open those that are new or have changed.

        Args:
            configuration: what names them.
            patient: try those again which cannot be opened as configured, rather than raise.

        Raises:
            ConfigError: one of them cannot be opened as configured.
        """
        wanted = {entry.platform: entry for entry in configuration.stages.get("bridge", ())}
        if not patient:
            for name, entry in wanted.items():
                if name in self._open and not alike(self._open[name].entry, entry):
                    await _check(entry)
        for name, bridge in list(self._open.items()):
            if name not in wanted or not alike(bridge.entry, wanted[name]) or not known_as(bridge, configuration):
                await bridge.close(removed=name not in wanted or bridge.configuration.id != configuration.id)
                # Only then: whoever cancels us closes what is still here.
                del self._open[name]
                if name in self._foundation.door.problems:
                    self._foundation.feed.publish(Problem(name, "", over=True))
        for name, entry in wanted.items():
            if name not in self._open:
                bridge = self._open[name] = Bridge(entry, configuration, self._foundation, patient)
                try:
                    await bridge.opened()
                except ConfigError:
                    del self._open[name]
                    raise

    async def __aenter__(self) -> Bridges:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all of them, side by side."""
        bridges, self._open = self._open, {}
        await asyncio.gather(*(bridge.close(removed=False) for bridge in bridges.values()))
