"""One display's frames on their way to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

LEAD_FRAMES = 2
"""Frames that wait for the first display."""
BRANCH_FRAMES = 50
"""Frames that a display beside the first may lag behind (2 s) before its oldest go."""

_END: Any = object()


class Branch:
    """One display's frames. The first display's branch holds up the answer; the others' drop and count."""

    def __init__(self) -> None:
        """Drop the oldest when it is full, until it ``leads``."""
        self.dropped = 0
        self._leads = False
        self._left = False
        self._frames: deque[Any] = deque()
        self._changed = asyncio.Event()

    def lead(self) -> None:
        """Hold up the answer from now on, rather than drop."""
        self._leads = True

    def leave(self) -> None:
        """Nobody takes frames any more; what comes is let go."""
        self._left = True
        self._frames.clear()
        self._changed.set()

    async def put(self, frame: Any) -> None:
        """Add a frame."""
        while self._leads and len(self._frames) >= LEAD_FRAMES and not self._left:
            self._changed.clear()
            await self._changed.wait()
        if self._left:
            return
        if len(self._frames) >= BRANCH_FRAMES:
            self._frames.popleft()
            self.dropped += 1
        self._frames.append(frame)
        self._changed.set()

    async def frames(self) -> AsyncGenerator[Any, None]:
        """Yield the frames to their end."""
        while True:
            while not self._frames:
                self._changed.clear()
                await self._changed.wait()
            frame = self._frames.popleft()
            self._changed.set()
            if frame is _END:
                return
            yield frame

    async def end(self) -> None:
        """No more frames will come."""
        await self.put(_END)
