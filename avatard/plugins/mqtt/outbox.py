"""What waits to be published: the latest of each retained topic, and a bounded queue of events."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way to the broker."""

    topic: str
    payload: bytes
    retain: bool = False
    correlation: bytes | None = None
    """Correlation data of the command that it answers."""


class Outbox:
    """Filled by the news, emptied by the connection; no broker is needed to fill it."""

    def __init__(self, size: int) -> None:
        """Keep at most ``size`` events; the oldest goes first and is counted."""
        self.dropped = 0
        self._retained: dict[str, Outgoing] = {}
        self._changed: dict[str, None] = {}
        self._latest: dict[str, Outgoing] = {}
        self._events: deque[Outgoing] = deque()
        self._size = size
        self._filled = asyncio.Event()

    def keep(self, topic: str, payload: bytes) -> None:
        """Have this be what the broker retains on the topic; what it retains already is not sent twice."""
        message = Outgoing(topic, payload, retain=True)
        if self._retained.get(topic) != message:
            self._retained[topic] = message
            self._changed[topic] = None
            self._filled.set()

    def withdraw(self, topic: str) -> None:
        """Have the broker retain nothing on the topic."""
        self.keep(topic, b"")

    def latest(self, topic: str, payload: bytes) -> None:
        """Publish a measure that replaces the one before it, if that still waits."""
        self._latest[topic] = Outgoing(topic, payload)
        self._filled.set()

    def tell(self, event: Outgoing) -> None:
        """Publish an event, once, in order."""
        if len(self._events) >= self._size:
            self._events.popleft()
            self.dropped += 1
        self._events.append(event)
        self._filled.set()

    def again(self) -> None:
        """Send everything retained once more: the broker may have lost it."""
        self._changed |= dict.fromkeys(self.topics)
        self._filled.set()

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics on which something is retained."""
        return tuple(topic for topic, message in self._retained.items() if message.payload)

    @property
    def empty(self) -> bool:
        """Whether all was sent."""
        return not (self._changed or self._latest or self._events)

    async def first(self) -> Outgoing:
        """Return what goes out next, and keep it until it is ``sent``."""
        while True:
            if self._changed:
                return self._retained[next(iter(self._changed))]
            if self._events:
                return self._events[0]
            if self._latest:
                return next(iter(self._latest.values()))
            self._filled.clear()
            await self._filled.wait()

    def sent(self, message: Outgoing) -> None:
        """The broker has it; what was replaced in the meantime goes out as well."""
        if self._retained.get(message.topic) is message:
            self._changed.pop(message.topic, None)
        elif self._events and self._events[0] is message:
            self._events.popleft()
        elif self._latest.get(message.topic) is message:
            del self._latest[message.topic]
