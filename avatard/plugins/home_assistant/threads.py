"""Which conversation of Home Assistant's each session is in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

MOST = 64
"""Sessions; the one that was silent longest is forgotten first."""
IDLE_SECONDS = 300.0
"""Home Assistant forgets a conversation after five minutes."""
LONGEST = 200
"""Characters of an id that is kept."""


class Threads:
    """Session → conversation id, for as long as both sides remember."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with none; ``clock`` gives seconds."""
        self._clock = clock
        self._kept: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def of(self, session: str) -> str:
        """The session's conversation; empty where none goes on."""
        id, at = self._kept.get(session, ("", 0.0))
        if id and self._clock() - at > IDLE_SECONDS:
            del self._kept[session]
            return ""
        return id

    def keep(self, session: str, id: str) -> None:
        """The session's conversation has this id from now on."""
        self._kept.pop(session, None)
        if id and len(id) <= LONGEST:
            self._kept[session] = id, self._clock()
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
