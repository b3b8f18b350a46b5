"""Opening plugins by name: nothing else in avatard imports ``avatard.plugins``."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatard.api.context import Cache, Model, PluginContext, Pulse
from avatard.api.errors import AvatardError, ConfigError, NotReady
from avatard.api.flow import SpokenGrammar
from avatard.api.news import News, Problem
from avatard.api.stages import VideoEncoder
from avatard.runtime.config import Configuration, PlatformEntry
from avatard.runtime.foundation import Foundation
from avatard.runtime.life import Life
from avatard.runtime.model import ThreadModel
from avatard.runtime.worker import ChildModel

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
    models: list[Model] = field(default_factory=list)
    removed: bool = False

    async def open(self, entry: PlatformEntry) -> Any:
        """Open one platform; it closes with the stack.

        Raises:
            ConfigError: the plugin has no such part, or its configuration cannot work.
            NotReady, StageFailed, OutOfMemory: it cannot be had now.
        """
        name = f"{entry.manifest.package}.{entry.domain}"
        try:
            module = importlib.import_module(name)
        except ImportError as err:
            raise ConfigError(
                f"{entry.where}: {entry.domain}: {entry.platform} cannot be imported: {err}; "
                f"pip install {' '.join(map(repr, entry.manifest.requires)) or 'its requirements'}"
            ) from err
        except OSError as err:
            raise NotReady(f"{entry.domain}: {entry.platform}: {err}") from err
        jobs: list[asyncio.Task[None]] = []

        async def end_jobs() -> None:
            for job in jobs:
                job.cancel()
            if jobs:
                await asyncio.wait(jobs, timeout=5)

        context = self._context(entry, jobs)
        self.stack.push_async_callback(end_jobs)
        return await self.stack.enter_async_context(module.async_setup(context, entry.options))

    def _context(self, entry: PlatformEntry, jobs: list[asyncio.Task[None]]) -> PluginContext:
        ground = self.foundation

        def make_model(
            engine: type[Any], options: dict[str, Any], megabytes: float, isolate: bool, python: Path | None, part: str
        ) -> Model:
            name = f"{entry.platform}.{part}" if part else entry.platform
            model: ChildModel | ThreadModel
            if isolate or python is not None:
                model = ChildModel(engine, options, megabytes, entry.domain, name, ground.admission, python)
            else:
                model = ThreadModel(engine, options, megabytes, entry.domain, name, ground.admission)
            self.models.append(model)
            self.stack.push_async_callback(model.unload)
            return model

        def supervise(name: str, job: Job) -> None:
            jobs.append(self.tasks.create_task(supervised(f"{entry.platform}.{name}", job, ground.feed, ground.life)))

        def register_cache(name: str, cache: Cache, priority: int) -> None:
            """The governor takes this."""

        return PluginContext(
            name=entry.platform, domain=entry.domain, id=self.configuration.id, title=self.configuration.name,
            language=self.configuration.language, rooms=self.configuration.rooms,
            logger=logging.getLogger(f"avatard.{entry.domain}.{entry.platform}"), news=ground.feed,
            assistant=ground.door, clock=time.monotonic, cache=ground.paths.cache / entry.platform,
            state=ground.paths.state / entry.platform, grammars=tuple(self.grammars), wake_phrases=self.wake_phrases,
            encoder=self.encoder, make_model=make_model, supervise=supervise, register_cache=register_cache,
            removed=lambda: self.removed, isolate=entry.manifest.isolate,
        )  # fmt: skip


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
                news.publish(Problem(name, f"given up after {RESTARTS} failures in {RESTARTS_WITHIN:.0f} s: {err}"))
                return
        finally:
            life.forget(name, pulse)
        await asyncio.sleep(pause)
        pause = min(30.0, pause * 2)
