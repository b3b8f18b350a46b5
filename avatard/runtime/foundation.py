"""What outlives a reload: the news, the door, the sessions, the governor, and who shows life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from avatard.api.context import Admission
from avatard.api.news import Problem
from avatard.runtime.config import Configuration
from avatard.runtime.feed import Feed
from avatard.runtime.health import Checkup
from avatard.runtime.life import Life
from avatard.runtime.model import Granting
from avatard.runtime.paths import Paths
from avatard.runtime.process import memory_mb
from avatard.talk.assistant import Door
from avatard.talk.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Foundation:
    """What the house stands on."""

    feed: Feed
    door: Door
    sessions: Sessions
    admission: Admission
    life: Life
    paths: Paths
    tasks: asyncio.TaskGroup


@asynccontextmanager
async def open_foundation(configuration: Configuration) -> AsyncIterator[Foundation]:
    """Lay it; on leaving, its own tasks end."""
    feed = Feed()
    paths = Paths.for_id(configuration.id)
    async with asyncio.TaskGroup() as tasks:
        door, life = Door(feed), Life()
        foundation = Foundation(feed, door, Sessions(), Granting(), life, paths, tasks)
        checkup = Checkup(feed, door, life, lambda: (memory_mb(), 0.0))
        jobs = [
            tasks.create_task(_note_problems(feed, door)),
            tasks.create_task(checkup.run(life.watch("checkup"))),
            tasks.create_task(door.timers.run(life.watch("timers"))),
        ]
        try:
            yield foundation
        finally:
            for job in jobs:
                job.cancel()


async def _note_problems(feed: Feed, door: Door) -> None:
    with feed.subscribe() as news:
        async for event in news:
            if isinstance(event, Problem):
                door.note(event)
