"""The only concurrency primitive of a turn: one task and a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")

_END: Any = object()


def ending() -> bool:
    """Whether this task was told to end: an error on the way out goes before the cancel itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Lookahead:
    """Lets a stage work a bounded way ahead of whoever reads it."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        """Run the stages as tasks of this group: an error in one ends them all."""
        self._tasks = tasks
        self._running: list[asyncio.Task[None]] = []

    def __call__(self, source: AsyncIterator[T], ahead: int) -> Drain[T]:
        """Start reading ``source`` now, at most ``ahead`` items ahead; return the same items in order."""
        items: asyncio.Queue[T] = asyncio.Queue(ahead)
        self._running.append(self._tasks.create_task(_pump(source, items)))
        return Drain(items)

    def end(self) -> None:
        """Stop what still works ahead: nobody reads it any more."""
        for task in self._running:
            task.cancel()


async def _pump(source: AsyncIterator[T], items: asyncio.Queue[T]) -> None:
    async with aclosing(cast("AsyncGenerator[T, None]", source)):
        async for item in source:
            await items.put(item)
    await items.put(_END)


class Drain(Generic[T]):
    """What was worked out ahead. Whoever is cancelled while waiting for the next item has lost none."""

    def __init__(self, items: asyncio.Queue[T]) -> None:
        """Take the items from this queue."""
        self._items = items
        self._ended = False

    def __aiter__(self) -> Drain[T]:
        """Go on from where it was read to."""
        return self

    async def __anext__(self) -> T:
        """Take the next item."""
        if not self._ended and (item := await self._items.get()) is not _END:
            return item
        self._ended = True
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Read no more of it."""
        self._ended = True


class Hearing:
    """The frames of one request, from the microphone to whoever recognises them.

    The microphone never waits: what does not fit pushes out the oldest frame, which is counted.
    """

    def __init__(self, size: int = 256, gap: float | None = None, kept: list[Any] | None = None) -> None:
        """Hold at most ``size`` frames (256 of 32 ms are 8 s); a ``gap`` of so many seconds is their end.

        ``kept``: what was heard just before; whatever is read is added to it.
        """
        self.dropped = 0
        self.kept = kept
        self._gap = gap
        self._frames: asyncio.Queue[Any] = asyncio.Queue(size)

    def put(self, frame: Any) -> None:
        """Add a frame without waiting."""
        if self._frames.full():
            self._frames.get_nowait()
            self.dropped += 1
        self._frames.put_nowait(frame)

    async def room(self) -> None:
        """Wait until a frame fits; for recordings, which lose nothing."""
        while self._frames.full():
            await asyncio.sleep(0.001)

    def end(self) -> None:
        """No more frames will come."""
        self.put(_END)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield the frames until the end."""
        while (frame := await self._next()) is not _END:
            if self.kept is not None:
                self.kept.append(frame)
            yield frame

    async def _next(self) -> Any:
        try:
            async with asyncio.timeout(self._gap):
                return await self._frames.get()
        except TimeoutError:
            return _END
