"""Sessions: whose history it is. Light state; the least recently used goes first, and never one that is speaking."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from avatard.api.errors import Refused
from avatard.api.flow import Exchange, SessionView

LONGEST_ID = 200
"""Characters"""
ROOM = "room"
"""The place's own session: whoever stands in the room is always answered."""


@dataclass(slots=True)
class Session:
    """One history."""

    id: str
    history: deque[Exchange]
    used: float
    """Monotonic seconds"""
    speaking: int = 0
    """Turns that use it."""

    def view(self, language: str) -> SessionView:
        """What a responder may know of it."""
        return SessionView(self.id, language, tuple(self.history))

    def remember(self, exchange: Exchange) -> None:
        """Add what was heard and what was really said."""
        self.history.append(exchange)


async def always() -> None:
    """There is room for another session."""


class Sessions:
    """A limited number of histories; idle ones expire."""

    def __init__(
        self, limit: int = 8, expire_seconds: float = 600, history: int = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Keep ``limit`` sessions of ``history`` exchanges each."""
        self.keep: Callable[[list[dict[str, Any]]], None] = lambda sessions: None
        """Called with all of them after each turn of one, and when any was dropped."""
        self.check: Callable[[], Awaitable[None]] = always
        """Raises ``Refused`` where there is no memory for another session; the governor's."""
        self._limit, self._expire, self._history = limit, expire_seconds, history
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._making = asyncio.Lock()

    def configure(self, limit: int, expire_seconds: float, history: int) -> None:
        """Other limits from now on."""
        self._limit, self._expire, self._history = limit, expire_seconds, history

    @property
    def limit(self) -> int:
        """Most of them."""
        return self._limit

    @property
    def ids(self) -> tuple[str, ...]:
        """Every session, the least recently used first."""
        return tuple(self._sessions)

    def view(self, id: str, language: str) -> SessionView:
        """What a responder may know of the session; one that is not there has no history."""
        session = self._sessions.get(id)
        return session.view(language) if session else SessionView(id, language)

    async def admit(self, id: str) -> None:
        """Say whether a turn of this session would be taken; nothing is made.

        Raises:
            Refused: it would be a new one, and there is no room for it.
        """
        self.expire()
        if id in self._sessions or id == ROOM:
            return
        await self.check()
        if len(self._sessions) >= self._limit and all(s.speaking for s in self._sessions.values()):
            raise Refused(f"session {id!r}: {self._limit} sessions are speaking already (sessions: limit)")

    @asynccontextmanager
    async def using(self, id: str) -> AsyncIterator[Session]:
        """A turn of the session, which is made where it is new and is not dropped while the block runs.

        Raises:
            Refused: it is a new one, and there is no room for it.
        """
        async with self._making:
            await self.admit(id)
            session = self._sessions.get(id)
            if session is None:
                session = self._sessions[id] = Session(id, deque(maxlen=self._history), self._clock())
            self._use(session)
            session.speaking += 1
            self._drop_beyond_the_limit()
        try:
            yield session
        finally:
            session.speaking -= 1
            self._use(session)
            self._tell()

    def expire(self) -> list[str]:
        """Drop those that were not used for long; say which."""
        now = self._clock()
        return self._end([s for s in self._sessions.values() if not s.speaking and now - s.used > self._expire])

    def end_idle(self) -> list[str]:
        """Drop every session that is not speaking; say which."""
        return self._end([s for s in self._sessions.values() if not s.speaking])

    def restore(self, kept: Iterable[Mapping[str, Any]]) -> None:
        """Take up what was kept, less what has expired meanwhile.

        Raises:
            ValueError, TypeError, KeyError: it is not what was kept.
        """
        for one in kept:
            age = max(0.0, time.time() - float(one["used"]))
            if age < self._expire and len(self._sessions) < self._limit:
                history = [Exchange(*map(str, exchange)) for exchange in one["history"]][-self._history :]
                id = str(one["id"])[:LONGEST_ID]
                self._sessions[id] = Session(id, deque(history, maxlen=self._history), self._clock() - age)

    def _tell(self) -> None:
        now, unix = self._clock(), time.time()
        self.keep([
            {"id": s.id, "used": unix - (now - s.used), "history": [[e.heard, e.said, e.unsaid] for e in s.history]}
            for s in self._sessions.values() if s.history
        ])  # fmt: skip

    def _use(self, session: Session) -> None:
        session.used = self._clock()
        self._sessions.move_to_end(session.id)

    def _drop_beyond_the_limit(self) -> None:
        idle = [s for s in self._sessions.values() if not s.speaking]
        self._end(idle[: max(0, len(self._sessions) - self._limit)])

    def _end(self, sessions: list[Session]) -> list[str]:
        for session in sessions:
            del self._sessions[session.id]
        if sessions:
            self._tell()
        return [session.id for session in sessions]
