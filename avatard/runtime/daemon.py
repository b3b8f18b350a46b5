"""The daemon: one configuration after another on one foundation, until it is told to end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from avatard.api.errors import AvatardError, ConfigError, first_cause
from avatard.api.news import Problem
from avatard.runtime.bridges import Bridges, same
from avatard.runtime.config import Configuration, load
from avatard.runtime.control import Control, control_socket
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.house import House, furnished
from avatard.runtime.keeping import keeping
from avatard.runtime.memo import outlive, settings_outlive
from avatard.runtime.notify import Notifier, Watchdog
from avatard.runtime.stories import tell

log = logging.getLogger("avatard")

FINISH_LIMIT = 15.0
"""Seconds that a reload waits for what is being said."""
CLOSE_LIMIT = 60.0
"""Seconds that a house may take to close for a reload; one that takes longer is stuck."""


class Daemon:
    """Opens what the file says, reopens what has changed in it; fulfils ``talk.assistant.Keeper``."""

    def __init__(
        self, path: Path | None, configuration: Configuration, notifier: Notifier,
        leaving: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """Run this configuration, which was read from ``path`` (None: the built-in one).

        Args:
            path: what a reload reads again.
            configuration: what is opened first.
            notifier: speaks to systemd.
            leaving: called once it has begun to close for good.
        """
        self.again = False
        """Whether the program is to be started again once it has ended."""
        self._path, self._configuration, self._notifier = path, configuration, notifier
        self._leaving = leaving
        self._task: asyncio.Task[None] | None = None
        self._feed_problem: Callable[[Problem], None] = lambda problem: None
        self._serving: Configuration | None = None
        """What the last house was opened with: the way back."""
        self._going_back = False
        """Whether the last file could not be opened, so that the one before it serves."""
        self._next: Configuration | None = None
        self._ending = self._hung_up = False
        self._called = asyncio.Event()

    async def run(self) -> None:
        """Serve until told to end, or until a restart is wanted.

        Raises:
            ConfigError, NotReady, StageFailed, OutOfMemory: it cannot start.
        """
        self._task = asyncio.current_task()
        try:
            if not self._ending:
                await self._run()
        except Exception as failure:  # raised again, but while ending there is nobody to take it
            self.again = False
            # A task group wraps even what passes through it, and lets an error go before its own cancel.
            err = first_cause(failure)
            if not self._ending:
                raise err from None
            log.error("while ending: %s", err, exc_info=None if isinstance(err, AvatardError) else err)
        finally:
            if self.again:
                self._notifier.reloading()  # to systemd the same service goes on
            elif not self._ending:
                self._notifier.stopping()

    def end(self) -> None:
        """What SIGTERM does: close everything, whatever is going on."""
        if self._ending:
            return
        self._ending, self.again = True, False
        self._notifier.stopping()
        self._leaving()
        self._called.set()
        if self._task is not None:
            self._task.cancel()

    async def reload(self) -> None:
        """Read the file again and have the main loop reopen what has changed.

        Raises:
            ConfigError: the file is wrong, or the change needs a restart; nothing has changed.
        """
        try:
            fresh = load(self._path)
            if fresh.id != self._configuration.id:
                raise ConfigError(
                    f"{fresh.source}: id: it is {self._configuration.id!r} while the daemon runs, the file says "
                    f"{fresh.id!r}; restart it for that"
                )
        except ConfigError as err:
            log.error("reload: nothing has changed:\n%s", err)
            self._feed_problem(Problem("configuration", str(err)))
            raise
        self._next = fresh
        self._called.set()

    async def restart(self) -> None:
        """End, to be started again."""
        self.again = not self._ending
        self._called.set()

    def hang_up(self) -> None:
        """What SIGHUP does: have the main loop read the file again; a wrong one is told and changes nothing."""
        self._hung_up = True
        self._called.set()

    async def _run(self) -> None:
        async with open_foundation(self._configuration) as foundation:
            foundation.door.keeper, self._feed_problem = self, foundation.feed.publish
            settings_outlive(foundation.door.room, foundation.paths.state / "settings.json")
            outlive("timers", foundation.door.timers, foundation.paths.state / "timers.json")
            outlive("sessions", foundation.sessions, foundation.paths.state / "sessions.json")
            watchdog = Watchdog.from_environment(self._notifier, foundation.life.stuck)
            jobs = [
                foundation.tasks.create_task(watchdog.run(), name="watchdog"),
                foundation.tasks.create_task(tell(foundation.feed), name="log"),
            ]
            try:
                async with Bridges(foundation) as bridges, AsyncExitStack() as control:
                    while not (self.again or self._ending):
                        await self._serve(foundation, bridges, control)
            finally:
                for job in jobs:
                    job.cancel()

    async def _serve(self, foundation: Foundation, bridges: Bridges, control: AsyncExitStack) -> None:
        """Open the house that the configuration asks for; return when it is to be another."""
        phase = "opening"
        pulse = foundation.life.watch("closing the house")
        try:
            async with (
                keeping(self._configuration, foundation) as keep,
                furnished(self._configuration, foundation, keep) as house,
            ):
                if self._serving is None:
                    # Before the bridges: a second daemon with this id must not speak in the name of the first.
                    listener = Control(foundation.door, foundation.feed)
                    await control.enter_async_context(control_socket(foundation.paths.socket, listener))
                await bridges.become(self._configuration, patient=self._going_back)
                self._opened(house)
                phase = "serving"
                await self._until_changed(foundation, bridges)
                phase = "closing"
                pulse.beat(CLOSE_LIMIT)
        except Exception as failure:  # a house may fail in any way; the one before it is opened again
            err = first_cause(failure)
            if phase == "closing" and not self._ending:
                # It is not needed any more.
                log.error("while closing: %s", err, exc_info=None if isinstance(err, AvatardError) else err)
            elif phase == "serving" or self._ending or self._serving is None or self._serving is self._configuration:
                raise
            else:
                self._go_back(err)
        finally:
            foundation.life.forget("closing the house", pulse)

    def _opened(self, house: House) -> None:
        first, self._serving = self._serving is None, self._configuration
        engines = ", ".join(f"{k} {v}" for k, v in house.engines().items())
        log.info("ready: %s", engines)
        if not first:
            self._reloaded()
        self._notifier.ready()
        self._notifier.status(engines)

    def _reloaded(self) -> None:
        if not self._going_back:
            self._feed_problem(Problem("configuration", "", over=True))
            log.info("reloaded")

    def _go_back(self, err: BaseException) -> None:
        assert self._serving is not None
        log.error("reload: %s; going on as before", err, exc_info=None if isinstance(err, AvatardError) else err)
        self._feed_problem(Problem("configuration", f"{err or type(err).__name__}; it goes on as before"))
        self._adopt(self._serving)
        self._going_back = True

    def _adopt(self, configuration: Configuration) -> None:
        self._configuration, self._going_back = configuration, False
        logging.getLogger().setLevel(configuration.core.logging.level.upper())

    async def _until_changed(self, foundation: Foundation, bridges: Bridges) -> None:
        """Wait for reloads; return when the house itself must be opened again, or the program."""
        while True:
            await self._called.wait()
            self._called.clear()
            if self.again or self._ending:
                self._leaving()
                return
            if self._hung_up:
                self._hung_up = False
                self._notifier.reloading()
                await self._reread()
            fresh, self._next = self._next, None
            if fresh is not None:
                self._notifier.reloading()
                old = self._configuration
                self._adopt(fresh)
                if not same(old, fresh):
                    await _finish(foundation)
                    return
                await self._become(fresh, foundation, bridges)
            self._notifier.ready()

    async def _become(self, fresh: Configuration, foundation: Foundation, bridges: Bridges) -> None:
        """Only bridges have changed, or what needs no opening."""
        try:
            await bridges.become(fresh)
        except ConfigError as err:
            self._go_back(err)
            await bridges.become(self._configuration, patient=True)
        else:
            foundation.governor.configure(fresh.core.memory, fresh.memory_place)
            self._serving = fresh
            self._reloaded()

    async def _reread(self) -> None:
        try:
            await self.reload()
        except ConfigError:
            return  # reload() has told it


async def _finish(foundation: Foundation) -> None:
    """Let what is being said, and what waits to be, come to its end, for a while."""
    household = foundation.door.household
    if household is not None:
        try:
            async with asyncio.timeout(FINISH_LIMIT):
                await household.place.finished()
                await foundation.visit.finished()
        except TimeoutError:
            log.warning("reload: what is being said is cut off after %.0f s", FINISH_LIMIT)
