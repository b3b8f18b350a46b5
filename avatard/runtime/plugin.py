"""Opening plugins by name: nothing else in avatard imports ``avatard.plugins``."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from avatard.api.context import Cache, Model, PluginContext, Pulse
from avatard.api.errors import AvatardError, ConfigError, NotReady
from avatard.api.flow import SpokenGrammar
from avatard.api.news import News, Problem
from avatard.api.stages import VideoEncoder
from avatard.runtime.catalog.store import model_path
from avatard.runtime.config import Configuration, PlatformEntry
from avatard.runtime.foundation import Foundation
from avatard.runtime.life import Life
from avatard.runtime.model import ThreadModel
from avatard.runtime.worker import ChildModel
from avatard.talk.ranking import Ranking

T = TypeVar("T")
C = TypeVar("C", bound=Cache)
log = logging.getLogger(__name__)

Job = Callable[[Pulse], Coroutine[Any, Any, None]]

RESTARTS, RESTARTS_WITHIN = 5, 60.0
"""So many failures within so many seconds, and a plugin's job is given up (Frigate's restart budget)."""


@dataclass
class Opener:
    """Opens platforms and hands each its context."""

    stack: AsyncExitStack
    tasks: asyncio.TaskGroup
    foundation: Foundation
    configuration: Configuration
    grammars: list[SpokenGrammar] = field(default_factory=list)
    wake_phrases: tuple[str, ...] = ()
    encoder: VideoEncoder | None = None
    removed: bool = False

    async def open(self, entry: PlatformEntry) -> Any:
        """Open one platform; it closes with the stack.

        Raises:
            ConfigError: the plugin has no such part, or its configuration cannot work.
            NotReady, StageFailed, OutOfMemory: it cannot be had now.
        """
        module = imported(entry)
        async with AsyncExitStack() as own:
            jobs: list[asyncio.Task[None]] = []
            own.push_async_callback(_end, jobs)
            context = self._context(entry, jobs, own)
            stage = await own.enter_async_context(module.async_setup(context, entry.options))
            self.stack.push_async_exit(own.pop_all())
        return stage

    def ranked(self, ranking: Ranking[Any]) -> Ranking[Any]:
        """Let the governor step the ranking down and up while the house is open."""
        _among(self.foundation.governor.belongings.rankings, ranking, self.stack)
        return ranking

    def kept(self, name: str, cache: C) -> C:
        """Let the governor drop a cache of the core's while the house is open."""
        kept: tuple[int, str, Cache] = (0, name, cache)
        _among(self.foundation.governor.belongings.caches, kept, self.stack)
        return cache

    def _supervised(self, name: str, job: Job) -> asyncio.Task[None]:
        if name in self.foundation.door.problems:  # given up before a reload
            self.foundation.feed.publish(Problem(name, "", over=True))
        return self.tasks.create_task(supervised(name, job, self.foundation.feed, self.foundation.life), name=name)

    def _context(self, entry: PlatformEntry, jobs: list[asyncio.Task[None]], own: AsyncExitStack) -> PluginContext:
        ground = self.foundation
        belongings = ground.governor.belongings
        numbers = itertools.count(1)

        def make_model(
            engine: type[Any], options: dict[str, Any], megabytes: float, isolate: bool, python: Path | None
        ) -> Model:
            given = engine, options, megabytes, entry.domain, entry.platform, ground.governor, next(numbers)
            child = isolate or python is not None
            model = ChildModel(*given, python) if child else ThreadModel(*given)
            own.push_async_callback(model.unload)
            _among(belongings.models, model, own)
            return model

        def supervise(name: str, job: Job) -> None:
            jobs.append(self._supervised(f"{entry.platform}.{name}", job))

        def register_cache(name: str, cache: Cache, priority: int) -> None:
            _among(belongings.caches, (priority, f"{entry.platform}.{name}", cache), own)

        return PluginContext(
            name=entry.platform, domain=entry.domain, id=self.configuration.id, title=self.configuration.name,
            language=self.configuration.language, rooms=self.configuration.rooms,
            logger=logging.getLogger(f"avatard.{entry.domain}.{entry.platform}"), news=ground.feed,
            assistant=ground.door, clock=time.monotonic, cache=ground.paths.cache / entry.platform,
            state=ground.paths.state / entry.platform, grammars=tuple(self.grammars), wake_phrases=self.wake_phrases,
            displays=displays(self.configuration), responders=responders(self.configuration), encoder=self.encoder,
            idle_loop=ground.resting.loop, portrait=ground.resting.portrait, show=ground.guests.staying,
            visit=ground.visit, tools=ground.tools, post=ground.post, find_model=model_path,
            make_model=make_model, supervise=supervise, register_cache=register_cache,
            removed=lambda: self.removed, isolate=entry.manifest.isolate,
        )  # fmt: skip


def displays(configuration: Configuration) -> tuple[str, ...]:
    """The platforms of the displays that the configuration names."""
    return tuple(entry.platform for entry in configuration.stages.get("display", ()))


def responders(configuration: Configuration) -> tuple[str, ...]:
    """The platforms of the chain that answers."""
    return tuple(entry.platform for entry in configuration.stages.get("conversation", ()))


def imported(entry: PlatformEntry) -> Any:
    """The module that opens a platform.

    Raises:
        ConfigError, NotReady: it cannot be imported.
    """
    name = f"{entry.manifest.package}.{entry.domain}"
    try:
        return importlib.import_module(name)
    except ImportError as err:
        raise ConfigError(
            f"{entry.where}: {entry.domain}: {entry.platform} cannot be imported: {err}; "
            f"pip install {' '.join(map(repr, entry.manifest.requires)) or 'its requirements'}"
        ) from err
    except OSError as err:
        raise NotReady(f"{entry.domain}: {entry.platform}: {err}") from err
    except Exception as err:  # a stranger's module may fail in any way
        file = entry.manifest.folder / f"{entry.domain}.py"
        raise ConfigError(f"{entry.where}: {file}: cannot be imported: {type(err).__name__}: {err}") from err


def _among(those: list[T], one: T, stack: AsyncExitStack) -> None:
    """Add it, until the stack closes."""
    those.append(one)
    stack.callback(those.remove, one)


async def _end(jobs: list[asyncio.Task[None]]) -> None:
    for job in jobs:
        job.cancel()
    if jobs:
        await asyncio.wait(jobs, timeout=5)


async def supervised(name: str, job: Job, news: News, life: Life) -> None:
    """Run ``job(pulse)``; start it again when it fails, with a growing pause, until its budget is spent."""
    failures: deque[float] = deque(maxlen=RESTARTS)
    pause = 1.0
    while True:
        pulse = life.watch(name)
        try:
            await job(pulse)
            return
        except Exception as err:  # a plugin's job may fail in any way; the daemon goes on
            log.error("%s failed: %s", name, err, exc_info=None if isinstance(err, AvatardError) else err)
            failures.append(time.monotonic())
            if len(failures) == RESTARTS and failures[-1] - failures[0] < RESTARTS_WITHIN:
                what = f"given up after {RESTARTS} failures in {RESTARTS_WITHIN:.0f} s: {err}"
                log.error("%s: %s", name, what)
                news.publish(Problem(name, what))
                return
        finally:
            life.forget(name, pulse)
        await asyncio.sleep(pause)
        pause = min(30.0, pause * 2)
