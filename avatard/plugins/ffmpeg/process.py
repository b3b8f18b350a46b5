"""One running ffmpeg: a thread that writes, one that reads, one for its complaints."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator

from avatard.api.errors import NotReady, StageFailed

STUCK = 1.5
"""Seconds without any output, while pictures wait in it, after which ffmpeg is given up."""
STARTING = 15.0
"""Seconds without any progress before its first output: a cold disk takes its time to load two hundred libraries."""
INSIDE = 4
"""Pictures that may be in it without an answer: a fragment is complete when the next picture has come."""
F_SETPIPE_SZ = 1031
"""linux/fcntl.h"""


class Stuck(StageFailed):
    """It runs, and nothing comes out."""


def cannot_start(program: str, err: OSError) -> NotReady:
    """What to tell of a program that the system does not start."""
    what = "; install it: sudo apt install ffmpeg" if isinstance(err, FileNotFoundError) else ""
    return NotReady(f"{program}: {err.strerror}{what}")


class Running:
    """ffmpeg with pipes that never block the event loop."""

    def __init__(self, command: list[str], starting: float = STARTING) -> None:
        """Start it.

        Args:
            command: the whole command line.
            starting: seconds without any progress before its first output, after which it counts as stuck.

        Raises:
            NotReady: it cannot be started.
        """
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        except OSError as err:
            raise cannot_start(command[0], err) from err
        assert self._process.stdin
        fcntl.fcntl(self._process.stdin.fileno(), F_SETPIPE_SZ, 1 << 20)
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._to_write: queue.Queue[tuple[bytes | memoryview, ...] | None] = queue.Queue(4)
        self._read: deque[bytes] = deque()
        self._complaints: deque[str] = deque(maxlen=6)
        self._ended = self._begun = False
        self._starting, self._moved_at = starting, time.monotonic()
        self._unanswered = 0
        self._threads = [
            threading.Thread(target=job, name=f"ffmpeg.{job.__name__}", daemon=True)
            for job in (self._writing, self._complaining, self._reading)
        ]
        for thread in self._threads:
            thread.start()

    async def end(self) -> None:
        """End the input.

        Raises:
            StageFailed: ffmpeg died or is stuck.
        """
        await self._send(None)

    async def put(self, *parts: bytes | memoryview) -> None:
        """Send a piece, which may come in parts; they are not copied, and must not change.

        Raises:
            StageFailed: ffmpeg died or is stuck.
        """
        await self._send(parts)

    async def _send(self, parts: tuple[bytes | memoryview, ...] | None) -> None:
        while self._to_write.full() and not self._ended:
            await self._change()
        if self._ended:
            raise self._failed("it ended")
        self._check()
        self._unanswered += 1
        if self._unanswered <= INSIDE:
            self._moved_at = time.monotonic()
        self._to_write.put_nowait(parts)

    def taken(self) -> list[bytes]:
        """What has come out since the last call."""
        pieces = []
        while self._read:
            pieces.append(self._read.popleft())
        return pieces

    async def rest(self) -> AsyncGenerator[bytes, None]:
        """Yield what still comes after the input's end.

        Raises:
            StageFailed: ffmpeg failed or is stuck.
        """
        self._moved_at = time.monotonic()
        while not self._ended or self._read:
            for piece in self.taken():
                yield piece
            if not self._ended:
                await self._change()
        if (status := await self._status()) != 0:
            raise self._failed(f"it ended with status {status}")

    def close(self) -> None:
        """End it, whatever it is doing."""
        if self._process.poll() is None:
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)  # one that hangs in a driver cannot even be killed
        while not self._to_write.empty():
            self._to_write.get_nowait()
        self._to_write.put_nowait(None)
        for thread in self._threads:
            thread.join(1.0)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _failed(self, what: str) -> StageFailed:
        return StageFailed("encoder", "ffmpeg", what + self._said())

    def _said(self) -> str:
        return ": " + (" | ".join(self._complaints) or "it said nothing")

    def _stuck(self) -> Stuck:
        limit = STUCK if self._begun else self._starting
        return Stuck("encoder", "ffmpeg", f"it is stuck: nothing came out for {limit} s{self._said()}")

    async def _status(self) -> int:
        """Its exit status; it has closed its output already, so it is about to end."""
        while (status := self._process.poll()) is None:
            self._check()
            await asyncio.sleep(0.005)
        return status

    def _left(self) -> float:
        """Seconds until it counts as stuck."""
        return (STUCK if self._begun else self._starting) - (time.monotonic() - self._moved_at)

    def _check(self) -> None:
        if self._unanswered >= INSIDE and self._left() <= 0:
            raise self._stuck()

    async def _change(self) -> None:
        self._changed.clear()
        if self._ended:
            return
        try:
            await asyncio.wait_for(self._changed.wait(), max(0.01, self._left()))
        except TimeoutError as late:
            if self._left() <= 0:
                raise self._stuck() from late

    def _tell(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._changed.set)
        except RuntimeError:  # the loop has closed; nobody waits
            return

    def _writing(self) -> None:
        assert self._process.stdin
        try:
            while (parts := self._to_write.get()) is not None:
                for part in parts:
                    self._write(memoryview(part))
                del parts, part
                self._tell()
        except OSError:
            return  # it died; the reading thread notices
        finally:
            self._process.stdin.close()

    def _write(self, view: memoryview) -> None:
        assert self._process.stdin
        while view:
            view = view[self._process.stdin.write(view) :]
            if not self._begun:
                self._moved_at = time.monotonic()

    def _reading(self) -> None:
        assert self._process.stdout
        while piece := self._process.stdout.read(65536):
            self._read.append(piece)
            self._begun, self._unanswered, self._moved_at = True, 0, time.monotonic()
            self._tell()
        self._threads[1].join(0.5)  # what it complained of comes by another pipe
        self._ended = True
        self._tell()

    def _complaining(self) -> None:
        assert self._process.stderr
        for line in iter(self._process.stderr.readline, b""):
            self._complaints.append(line.decode(errors="replace").strip())
