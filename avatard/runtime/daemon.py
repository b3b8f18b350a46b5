"""The daemon: one configuration after another on one foundation, until it is told to end."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path

from avatard.api.errors import AvatardError, ConfigError, first_cause
from avatard.api.news import Problem
from avatard.runtime.bridges import Bridges, same
from avatard.runtime.config import Configuration, load
from avatard.runtime.control import Control, control_socket
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.house import House, furnished
from avatard.runtime.notify import Notifier, Watchdog
from avatard.runtime.stories import tell

log = logging.getLogger("avatard")

FINISH_LIMIT = 15.0
"""Seconds that a reload waits for what is being said."""


class Daemon:
    """Opens what the file says, reopens what has changed in it; fulfils ``talk.assistant.Keeper``."""

    def __init__(self, path: Path | None, configuration: Configuration, notifier: Notifier) -> None:
        """Run this configuration, which was read from ``path`` (None: the built-in one)."""
        self.again = False
        """Whether the program is to be started again once it has ended."""
        self._path, self._configuration, self._notifier = path, configuration, notifier
        self._next: Configuration | None = None
        self._hung_up = False
        self._called = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled, or until a restart is wanted.

        Raises:
            ConfigError, NotReady, StageFailed, OutOfMemory: it cannot start.
        """
        try:
            await self._run()
        except BaseExceptionGroup as group:
            # A task group wraps even what passes through it.
            raise first_cause(group) from None
        finally:
            self._notifier.stopping()

    async def reload(self) -> None:
        """Read the file again and have the main loop reopen what has changed.

        Raises:
            ConfigError: the file is wrong, or the change needs a restart; nothing has changed.
        """
        fresh = load(self._path)
        if fresh.id != self._configuration.id:
            raise ConfigError(f"{fresh.source}: id: it is {self._configuration.id!r} while the daemon runs; restart it")
        self._next = fresh
        self._called.set()

    async def restart(self) -> None:
        """End, to be started again."""
        self.again = True
        self._called.set()

    def hang_up(self) -> None:
        """What SIGHUP does: have the main loop read the file again; a wrong one is told and changes nothing."""
        self._hung_up = True
        self._called.set()

    async def _run(self) -> None:
        async with open_foundation(self._configuration) as foundation:
            foundation.door.keeper = self
            watchdog = Watchdog.from_environment(self._notifier, foundation.life.stuck)
            jobs = [foundation.tasks.create_task(job) for job in (watchdog.run(), tell(foundation.feed))]
            try:
                async with Bridges(foundation) as bridges, AsyncExitStack() as control:
                    await self._serve(foundation, bridges, control)
            finally:
                for job in jobs:
                    job.cancel()

    async def _serve(self, foundation: Foundation, bridges: Bridges, control: AsyncExitStack) -> None:
        serving: Configuration | None = None
        """What the last house was opened with: the way back."""
        while not self.again:
            try:
                async with furnished(self._configuration, foundation) as house:
                    await bridges.become(self._configuration)
                    if serving is None:
                        listener = Control(foundation.door, foundation.feed)
                        await control.enter_async_context(control_socket(foundation.paths.socket, listener))
                    serving = self._configuration
                    self._ready(house)
                    await self._reopened(foundation, bridges)
            except (AvatardError, BaseExceptionGroup) as failure:
                err = first_cause(failure)
                if not serving or not isinstance(err, AvatardError) or serving is self._configuration:
                    raise
                log.error("reload: %s; going on as before", err)
                foundation.feed.publish(Problem("configuration", str(err)))
                self._configuration = serving

    def _ready(self, house: House) -> None:
        engines = ", ".join(f"{k} {v}" for k, v in house.engines().items())
        log.info("ready: %s", engines)
        self._notifier.ready()
        self._notifier.status(engines)

    async def _reopened(self, foundation: Foundation, bridges: Bridges) -> None:
        """Wait for reloads; return when the house itself must be opened again, or the program."""
        while True:
            await self._called.wait()
            self._called.clear()
            if self._hung_up:
                self._hung_up = False
                await self._reread(foundation)
            if self.again:
                return
            old, fresh, self._next = self._configuration, self._next, None
            if fresh is None:
                continue
            self._notifier.reloading()
            logging.getLogger().setLevel(fresh.core.logging.level.upper())
            self._configuration = fresh
            if not same(old, fresh):
                await _finish(foundation)
                return
            try:
                await bridges.become(fresh)
            except AvatardError as err:
                log.error("reload: %s; going on as before", err)
                foundation.feed.publish(Problem("configuration", str(err)))
                self._configuration = old
                await bridges.become(old)
            else:
                foundation.feed.publish(Problem("configuration", "", over=True))
                log.info("reloaded")
            self._notifier.ready()


    async def _reread(self, foundation: Foundation) -> None:
        try:
            await self.reload()
        except ConfigError as err:
            log.error("reload: nothing has changed:\n%s", err)
            foundation.feed.publish(Problem("configuration", str(err)))


async def _finish(foundation: Foundation) -> None:
    """Let what is being said come to its end, for a while."""
    household = foundation.door.household
    if household is not None:
        try:
            await asyncio.wait_for(household.place.rest(), FINISH_LIMIT)
        except TimeoutError:
            log.warning("reload: what is being said is cut off after %.0f s", FINISH_LIMIT)
