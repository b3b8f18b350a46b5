"""Visitors: places of their own for those who come with a microphone and a display."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

from avatard.api.context import Pulse, Visit
from avatard.api.errors import NotReady, Refused
from avatard.api.news import Event, News, TurnFinished
from avatard.api.stages import DisplaySink, Microphone
from avatard.runtime.feed import Feed, Reader
from avatard.runtime.life import Beat, Life
from avatard.talk.assistant import Door
from avatard.talk.displays import Displays
from avatard.talk.faculties import Faculties
from avatard.talk.listening import Listening
from avatard.talk.orders import Orders, Seat, here
from avatard.talk.sessions import Sessions
from avatard.talk.visitor import Visitor

log = logging.getLogger(__name__)

LISTENING_LIMIT = 5.0
"""Seconds that a visitor's listening may take to end."""
LEAVE_LIMIT = 5.0
"""Seconds that whoever keeps a visitor may take to let him go."""


class Overheard:
    """A visitor's news; of the turns that finish in his place the room hears too. Fulfils ``api.news.News``."""

    def __init__(self, room: News) -> None:
        """Tell the room."""
        self._own, self._room = Feed(), room

    @property
    def drops(self) -> int:
        """Events that readers were too late for, since the start."""
        return self._own.drops

    def publish(self, event: Event) -> None:
        """Give the event to every reader; never blocks."""
        self._own.publish(event)
        if isinstance(event, TurnFinished):
            self._room.publish(event)

    def subscribe(self, size: int = 64) -> AbstractContextManager[Reader]:
        """Read from now on; leaving the block ends it."""
        return self._own.subscribe(size)


class Stay:
    """One visitor while he is here."""

    def __init__(
        self, title: str, source: str, session: str, news: Overheard, life: Life, tasks: asyncio.TaskGroup
    ) -> None:
        """Nothing runs yet.

        Args:
            title: what he is called in logs.
            source: what he is called in reports.
            session: whose history it is.
            news: his.
            life: whose watch his place and his listening are under.
            tasks: where they run.
        """
        self.title, self.source, self.why = title, source, ""
        self.until = asyncio.timeout(None)
        """Runs out when he has to go; whoever keeps him is cancelled then."""
        self.orders = Orders(news, "the visitor has left", source, session)
        self.left = asyncio.Event()
        """Whoever kept him has let him go."""
        self._news, self._life, self._tasks = news, life, tasks
        self._seat: Seat | None = None
        self._pulses: dict[str, Beat] = {}
        self._listening: asyncio.Task[None] | None = None

    def begin(self, faculties: Faculties, microphone: Microphone | None, display: DisplaySink) -> None:
        """Give him his place, and listen to his microphone."""
        displays = Displays([(self.title, display)], faculties.encoder)
        seat = self._seat = faculties.seat(
            displays, microphone, self._news, self._start, self._pulse("place"), self.source, self.orders.session
        )
        self.orders.move_in(seat)
        if seat.listening is not None:
            listen = self._listen(seat.listening, self._pulse("listening"))
            self._listening = self._tasks.create_task(listen, name=f"{self.title}: listening")

    @property
    def drops(self) -> int:
        """Frames and events that were lost for want of room."""
        return self._news.drops + (self._seat.place.displays.dropped if self._seat is not None else 0)

    @property
    def speaking(self) -> bool:
        """Whether he is heard or answered, or waits for it."""
        seat = self._seat
        return seat is not None and (seat.place.current is not None or seat.place.queued > 0)

    async def finished(self) -> None:
        """Return when he is not answered any more."""
        if self._seat is not None:
            await self._seat.place.finished()

    def end(self, why: str) -> None:
        """He has to go."""
        if not self.why and not self.left.is_set():
            self.why = why
            self.until.reschedule(asyncio.get_running_loop().time())

    async def leave(self) -> None:
        """End all that is going on in his place; may be called again."""
        self.orders.seat = None  # nobody commands it any more
        try:
            if self._listening is not None:
                self._listening.cancel()
                await asyncio.wait({self._listening}, timeout=LISTENING_LIMIT)
        finally:
            if self._seat is not None:
                await self._seat.place.close()
            for name, pulse in self._pulses.items():
                self._life.forget(name, pulse)

    def _pulse(self, of: str) -> Beat:
        name = f"{self.title}: {of}"
        pulse = self._pulses[name] = self._life.watch(name)
        return pulse

    def _start(self, turn: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a turn; what a responder commands in it is meant for this place."""
        context = contextvars.copy_context()
        context.run(here.set, self.orders)
        return self._tasks.create_task(turn, name=f"{self.title}: {name}", context=context)

    async def _listen(self, listening: Listening, pulse: Pulse) -> None:
        try:
            await listening.run(pulse)
        except Exception as err:  # his microphone may fail in any way; the house goes on
            log.error("%s: listening failed: %s", self.title, err, exc_info=err)
            self.end(f"listening failed: {err}")


class Visitors:
    """Lets visitors in while a house stands; fulfils ``api.context.Visits``."""

    def __init__(self, door: Door, feed: Feed, life: Life, sessions: Sessions, tasks: asyncio.TaskGroup) -> None:
        """Nobody is let in yet."""
        self._door, self._feed, self._life, self._sessions, self._tasks = door, feed, life, sessions, tasks
        self._faculties: Faculties | None = None
        self._stays: list[Stay] = []
        self._lost = 0
        self._numbers = itertools.count(1)

    def receive(self, faculties: Faculties) -> None:
        """Let visitors in: they are answered with these."""
        self._faculties = faculties

    @asynccontextmanager
    async def __call__(
        self, name: str, microphone: Microphone | None, display: DisplaySink, session: str
    ) -> AsyncIterator[Visit]:
        """Keep a place while the block runs."""
        faculties = await self._admitted()
        news = Overheard(self._feed)
        stay = Stay(f"{name} {next(self._numbers)}", name, session, news, self._life, self._tasks)
        self._stays.append(stay)
        try:
            async with stay.until:
                stay.begin(faculties, microphone, display)
                yield Visit(Visitor(stay.orders, self._door), news)
        except TimeoutError as err:
            if not stay.until.expired():
                raise
            raise NotReady(stay.why) from err
        finally:
            stay.left.set()
            try:
                await stay.leave()
            finally:
                self._stays.remove(stay)
                self._lost += stay.drops

    @property
    def drops(self) -> int:
        """Frames and events that visitors lost for want of room, since the start."""
        return self._lost + sum(stay.drops for stay in self._stays)

    async def finished(self) -> None:
        """Return when none of those who are here is answered any more."""
        for stay in list(self._stays):
            await stay.finished()

    def end_idle(self) -> list[str]:
        """End every visit in which nobody speaks; say whose they were."""
        idle = [stay for stay in self._stays if not stay.speaking and not stay.why]
        for stay in idle:
            stay.end("memory is short: come again later")
        return [stay.title for stay in idle]

    async def close(self) -> None:
        """The house closes: everybody leaves, and nobody comes in until another one stands."""
        self._faculties = None
        stays = list(self._stays)
        for stay in stays:
            stay.end("the configuration has changed, or the daemon ends: come again in a moment")
        # Their engines close next, whether or not whoever keeps them lets them go.
        await asyncio.gather(*(stay.leave() for stay in stays))
        try:
            async with asyncio.timeout(LEAVE_LIMIT):
                for stay in stays:
                    await stay.left.wait()
        except TimeoutError:
            kept = ", ".join(stay.title for stay in stays if not stay.left.is_set())
            log.error("not let go within %.0f s: %s", LEAVE_LIMIT, kept)

    async def _admitted(self) -> Faculties:
        try:
            await self._sessions.check()
        except Refused as err:
            raise NotReady(str(err)) from err
        if self._faculties is None:
            raise NotReady("the daemon is still starting")
        if len(self._stays) >= self._sessions.limit:
            raise NotReady(f"{len(self._stays)} visitors are here already (sessions: limit)")
        return self._faculties
