"""The news feed: bounded queues, one for each reader, that drop the oldest and count it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from avatard.api.news import Event


class Reader:
    """One reader's queue."""

    def __init__(self, size: int) -> None:
        """Keep at most ``size`` unread events."""
        self.dropped = 0
        self._events: deque[Event] = deque(maxlen=size)
        self._arrived = asyncio.Event()

    def put(self, event: Event) -> None:
        """Add an event; the oldest goes when the queue is full."""
        if len(self._events) == self._events.maxlen:
            self.dropped += 1
        self._events.append(event)
        self._arrived.set()

    @property
    def pending(self) -> int:
        """Events that wait to be read."""
        return len(self._events)

    def waiting(self) -> list[Event]:
        """Take the events that have come, without waiting."""
        events = list(self._events)
        self._events.clear()
        return events

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events as they come, for ever."""
        while True:
            while self._events:
                yield self._events.popleft()
            self._arrived.clear()
            await self._arrived.wait()


class Feed:
    """Fulfils ``api.news.News``. Publish on the event loop's thread."""

    def __init__(self) -> None:
        """Start with no readers."""
        self._readers: list[Reader] = []
        self._lost = 0

    @property
    def drops(self) -> int:
        """Events that readers were too late for, since the start."""
        return self._lost + sum(reader.dropped for reader in self._readers)

    def publish(self, event: Event) -> None:
        """Give the event to every reader; never blocks."""
        for reader in self._readers:
            reader.put(event)

    @contextmanager
    def subscribe(self, size: int = 64) -> Iterator[Reader]:
        """Read from now on."""
        reader = Reader(size)
        self._readers.append(reader)
        try:
            yield reader
        finally:
            self._readers.remove(reader)
            self._lost += reader.dropped
