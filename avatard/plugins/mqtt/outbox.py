"""What waits to be published: the latest of each retained topic, and a bounded queue of events."""

from __future__ import annotations

import asyncio
import itertools
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
    qos: int = 1
    """1: kept until the broker has it; 0: sent, and forgotten."""


ANSWERS = 2000
"""Answers to commands that may wait; they come only while the broker is there to take them."""


class Outbox:
    """Filled by the news, emptied by the connection; no broker is needed to fill it."""

    def __init__(self, size: int) -> None:
        """Keep at most ``size`` events; the oldest goes first and is counted."""
        self._retained: dict[str, Outgoing] = {}
        self._changed: dict[str, None] = {}
        self._then: dict[str, bytes | None] = {}
        self._latest: dict[str, Outgoing] = {}
        self._events = Queue(size)
        self._answers = Queue(ANSWERS)
        self._filled = asyncio.Event()

    def keep(self, topic: str, payload: bytes, then: bytes | None = None) -> None:
        """Have this be what the broker retains on the topic, and ``then`` once it has it.

        What it retains already is not sent twice.
        """
        self._then[topic] = then
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
        self._events.put(event)
        self._filled.set()

    def answer(self, message: Outgoing) -> None:
        """Publish what a command is answered with, once, in order, after the events."""
        self._answers.put(message)
        self._filled.set()

    def again(self) -> None:
        """Send everything retained once more: the broker may have lost it."""
        self._changed |= dict.fromkeys(self.topics)
        self._filled.set()

    def waiting(self, topic: str) -> bytes | None:
        """What is to be retained on the topic and is not at the broker yet; None where nothing is."""
        return self._retained[topic].payload if topic in self._changed else None

    @property
    def dropped(self) -> int:
        """Events and answers that were lost for want of room."""
        return self._events.dropped + self._answers.dropped

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics on which something is retained."""
        return tuple(topic for topic, message in self._retained.items() if message.payload)

    @property
    def empty(self) -> bool:
        """Whether all was sent."""
        return not (self._changed or self._latest or self._events.messages or self._answers.messages)

    async def next(self, most: int) -> list[Outgoing]:
        """Return what goes out next, at most so many, and keep it until it is ``sent``."""
        while self.empty:
            self._filled.clear()
            await self._filled.wait()
        waiting = itertools.chain(
            (self._retained[topic] for topic in self._changed), self._events.messages, self._answers.messages,
            self._latest.values(),
        )  # fmt: skip
        return list(itertools.islice(waiting, most))

    def sent(self, messages: list[Outgoing]) -> None:
        """The broker has them; what was replaced in the meantime goes out as well."""
        for message in messages:
            if self._retained.get(message.topic) is message:
                self._changed.pop(message.topic, None)
                if (then := self._then.get(message.topic)) is not None:
                    self.keep(message.topic, then)
            if self._latest.get(message.topic) is message:
                del self._latest[message.topic]
        for queue in (self._events, self._answers):
            queue.sent(messages)


class Queue:
    """Messages in order; the oldest goes when there is no room."""

    def __init__(self, size: int) -> None:
        """Hold at most ``size``."""
        self.messages: deque[Outgoing] = deque(maxlen=size)
        self.dropped = 0

    def put(self, message: Outgoing) -> None:
        """Add one."""
        self.dropped += len(self.messages) == self.messages.maxlen
        self.messages.append(message)

    def sent(self, messages: list[Outgoing]) -> None:
        """Take out those that are among these."""
        while self.messages and any(self.messages[0] is message for message in messages):
            self.messages.popleft()
