"""Sessions: whose history it is. Light state; the least recently used goes first."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from avatard.api.flow import Exchange, SessionView


@dataclass(slots=True)
class Session:
    """One history."""

    id: str
    history: deque[Exchange]
    used: float = field(default_factory=time.monotonic)
    """Monotonic seconds"""


class Sessions:
    """A limited number of histories; idle ones expire."""

    def __init__(self, limit: int = 8, expire_seconds: float = 600, history: int = 10) -> None:
        """Keep ``limit`` sessions of ``history`` exchanges each."""
        self._limit, self._expire, self._history = limit, expire_seconds, history
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def configure(self, limit: int, expire_seconds: float, history: int) -> None:
        """Other limits from now on."""
        self._limit, self._expire, self._history = limit, expire_seconds, history

    def view(self, id: str, language: str) -> SessionView:
        """What a responder may know of the session, which is made where it is new."""
        return SessionView(id, language, tuple(self._get(id).history))

    def remember(self, id: str, exchange: Exchange) -> None:
        """Add what was heard and what was really said."""
        self._get(id).history.append(exchange)

    def _get(self, id: str) -> Session:
        now = time.monotonic()
        for old in [s.id for s in self._sessions.values() if now - s.used > self._expire]:
            del self._sessions[old]
        session = self._sessions.pop(id, None) or Session(id, deque(maxlen=self._history))
        session.used = now
        self._sessions[id] = session
        while len(self._sessions) > self._limit:
            self._sessions.popitem(last=False)
        return session
