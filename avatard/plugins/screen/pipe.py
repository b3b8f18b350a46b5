"""A named pipe into the player, written without ever holding up the event loop."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from avatard.plugins.screen.player import PlayerGone

F_SETPIPE_SZ = 1031
"""linux/fcntl.h"""
SIZE = 1 << 20
"""Bytes in the pipe: what an unprivileged process may have."""
STUCK = 3.0
"""Seconds without any progress after which the reader is given up."""
LOOK = 0.2
"""Seconds after which a reader that does not read is looked at."""


class Pipe:
    """The writing end; open it before the reader is told of it."""

    def __init__(self, path: Path) -> None:
        """Make the pipe."""
        self.path = path
        os.mkfifo(path, 0o600)
        # For reading too: then it opens without a reader, and never raises SIGPIPE.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.fcntl(self._descriptor, F_SETPIPE_SZ, SIZE)
        except OSError:
            return  # the user has too many pipes: the usual 64 kB work too

    async def put(self, data: bytes, alive: Callable[[], bool]) -> None:
        """Write it all.

        Raises:
            PlayerGone: the reader is not ``alive``, or does not read.
        """
        view, idle = memoryview(data), 0.0
        while view:
            if not alive():
                raise PlayerGone("mpv has ended in the middle of an answer")
            try:
                view, idle = view[os.write(self._descriptor, view) :], 0.0
            except BlockingIOError:
                if not await self._room():
                    idle += LOOK
                    if idle > STUCK:
                        raise PlayerGone(f"mpv has read nothing for {STUCK:.0f} s") from None

    def close(self) -> None:
        """Close it: the reader comes to the end of what was written."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self.path.unlink(missing_ok=True)

    async def _room(self) -> bool:
        loop = asyncio.get_running_loop()
        writable: asyncio.Future[None] = loop.create_future()

        def ready() -> None:
            if not writable.done():
                writable.set_result(None)

        loop.add_writer(self._descriptor, ready)
        try:
            async with asyncio.timeout(LOOK):
                await writable
        except TimeoutError:
            return False
        finally:
            loop.remove_writer(self._descriptor)
        return True
