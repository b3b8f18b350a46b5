"""What outlives a reload: the news, the door, the sessions, the governor, and who shows life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from avatard.api.news import Problem
from avatard.runtime.config import Configuration
from avatard.runtime.feed import Feed
from avatard.runtime.governor import Governor
from avatard.runtime.health import Checkup
from avatard.runtime.life import Life
from avatard.runtime.model import one_arena
from avatard.runtime.paths import Paths
from avatard.runtime.resting import Resting
from avatard.runtime.visits import Visitors
from avatard.talk.assistant import Door
from avatard.talk.guests import Guests
from avatard.talk.handiwork import own_tools
from avatard.talk.post import Post
from avatard.talk.sessions import Sessions
from avatard.talk.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Foundation:
    """What the house stands on."""

    feed: Feed
    door: Door
    sessions: Sessions
    governor: Governor
    life: Life
    guests: Guests
    resting: Resting
    visit: Visitors
    tools: Toolbox
    post: Post
    paths: Paths
    tasks: asyncio.TaskGroup


@asynccontextmanager
async def open_foundation(configuration: Configuration) -> AsyncIterator[Foundation]:
    """Lay it; on leaving, its own tasks end."""
    one_arena()
    feed = Feed()
    paths = Paths.for_id(configuration.id)
    async with asyncio.TaskGroup() as tasks:
        door, life = Door(feed), Life()
        sessions = Sessions()
        governor = Governor(
            configuration.core.memory, configuration.memory_place, paths.state / "models.json", sessions, door, feed
        )
        resting = Resting(door, paths.cache / "idle")
        visitors = Visitors(door, feed, life, sessions, tasks)
        governor.belongings.end_visits = visitors.end_idle
        foundation = Foundation(
            feed, door, sessions, governor, life, Guests(), resting, visitors,
            Toolbox(own_tools(door)), Post(), paths, tasks,
        )  # fmt: skip
        memory, lost = lambda: (governor.memory_mb, governor.budget_mb), lambda: visitors.drops
        checkup = Checkup(feed, door, life, memory, lost)
        jobs = [
            tasks.create_task(_note_problems(feed, door), name="problems"),
            tasks.create_task(checkup.run(life.watch("checkup")), name="checkup"),
            tasks.create_task(door.timers.run(life.watch("timers")), name="timers"),
            tasks.create_task(governor.run(life.watch("governor")), name="governor"),
        ]
        try:
            yield foundation
        finally:
            for job in jobs:
                job.cancel()
            governor.close()


async def _note_problems(feed: Feed, door: Door) -> None:
    with feed.subscribe() as news:
        async for event in news:
            if isinstance(event, Problem):
                door.note(event)
