"""One running mpv and its JSON socket.

Source: mpv's manual, "JSON IPC". The socket is one end of a pair: there is no file that somebody else could open, and
mpv ends by itself when the other end closes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from typing import Any

from avatard.api.errors import NotReady
from avatard.plugins.screen.launch import bound

ANSWER_LIMIT = 2.0
"""Seconds after which an mpv that does not answer is taken for stuck, and ended."""
LINE_LIMIT = 1 << 20
CLOSE_LIMIT = 2.0
"""Seconds that mpv may take to give the display back before it is killed."""


class PlayerGone(NotReady):
    """mpv has ended, or was ended because it was stuck."""


class Player:
    """An mpv that is driven by commands; its events must be read for any answer to come."""

    def __init__(self, process: subprocess.Popen[bytes], sock: socket.socket) -> None:
        """Use ``start``."""
        self.complaints: deque[str] = deque(maxlen=4)
        self._process, self._sock = process, sock
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._count = 0
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    @classmethod
    async def start(cls, command: Callable[[int], Sequence[str]]) -> Player:
        """Start ``command(descriptor)``.

        Raises:
            NotReady: it cannot be started.
        """
        process, ours = _spawned(command)
        player = cls(process, ours)
        player._listen_to_complaints()
        player._reader, player._writer = await asyncio.open_connection(sock=ours, limit=LINE_LIMIT)
        return player

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None and not self._reader.at_eof()

    def tell(self, *words: Any) -> None:
        """Send a command whose answer does not matter."""
        self._send(words, 0)

    async def ask(self, *words: Any) -> Any:
        """Send a command; return its data, or None where it was refused.

        Raises:
            PlayerGone: mpv has ended, or was stuck.
        """
        self._count += 1
        number = self._count
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(words, number)
            async with asyncio.timeout(ANSWER_LIMIT):
                return (await answer).get("data")
        except TimeoutError as late:
            self._process.kill()
            raise PlayerGone(f"mpv was stuck for {ANSWER_LIMIT:.0f} s") from late
        finally:
            self._answers.pop(number, None)

    async def events(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield what happens in it until it has ended."""
        try:
            while line := await self._reader.readline():
                try:
                    message = json.loads(line)
                except ValueError:  # a name that is no UTF-8
                    continue
                if "event" in message:
                    yield message
                elif (answer := self._answers.get(message.get("request_id", 0))) and not answer.done():
                    answer.set_result(message)
        except (OSError, ValueError):  # the connection broke, or a line was endless
            return
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(PlayerGone(self.why))

    @property
    def why(self) -> str:
        """Why it has ended, as far as it said so."""
        status = self._process.poll()
        if status is not None and status < 0:
            return f"mpv was ended by {signal.Signals(-status).name}"
        said = " | ".join(self.complaints) or "it said nothing"
        return f"mpv has ended{'' if status is None else f' with status {status}'}: {said}"

    def kill(self) -> None:
        """End it by force."""
        self._process.kill()

    async def close(self) -> None:
        """End it: by closing its socket, so that it gives the display back in good order, or by force."""
        self._writer.close()
        end = asyncio.get_running_loop().time() + CLOSE_LIMIT
        try:
            while self._process.poll() is None and asyncio.get_running_loop().time() < end:
                await asyncio.sleep(0.02)
        finally:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            assert self._process.stdout
            with suppress(ValueError):
                asyncio.get_running_loop().remove_reader(self._process.stdout.fileno())
            self._process.stdout.close()

    def _send(self, words: Sequence[Any], number: int) -> None:
        if not self.alive:
            raise PlayerGone(self.why)
        self._writer.write(json.dumps({"command": words, "request_id": number}).encode() + b"\n")

    def _listen_to_complaints(self) -> None:
        assert self._process.stdout
        descriptor = self._process.stdout.fileno()
        loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)

        def read() -> None:
            try:
                data = os.read(descriptor, 4096)
            except BlockingIOError:
                return
            if not data:
                loop.remove_reader(descriptor)
            self.complaints.extend(line.strip() for line in data.decode(errors="replace").splitlines() if line.strip())

        loop.add_reader(descriptor, read)


def _spawned(command: Callable[[int], Sequence[str]]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    try:
        words = bound(list(command(theirs.fileno())))
        return subprocess.Popen(
            words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ), ours  # fmt: skip
    except BaseException as err:  # a cancel, too, must leave no end of the pair open
        ours.close()
        if isinstance(err, OSError):
            raise NotReady(f"display: screen: {err}") from err
        raise
    finally:
        theirs.close()
