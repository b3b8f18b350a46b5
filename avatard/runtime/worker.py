"""A model in a child process: for what may crash, hold the GIL or must give all its memory back."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from avatard.api.context import Admission
from avatard.api.errors import AvatardError, ConfigError, NotReady, StageFailed
from avatard.runtime.custom import mounted
from avatard.runtime.holds import Holds
from avatard.runtime.model import named
from avatard.runtime.wire import HEADER, lengths, pack, unpack

ANSWER_LIMIT = 30.0
"""Seconds that a child may be silent in the midst of a call."""
SLOWEST = 10.0
"""Megabytes a second: a model that is read from a memory card takes its time to load."""
DEATHS, DEATHS_WITHIN = 5, 60.0
"""So many deaths within so many seconds, and the model is given up for that time (Frigate's restart budget)."""
ELSEWHERE = """
import sys, types
sys.modules["avatard"] = house = types.ModuleType("avatard")
house.__path__ = [sys.argv[2]]
from avatard.runtime.child import main
main()
"""
"""What another interpreter runs: it finds avatard's modules and none of the libraries that were built for ours."""


class ChildModel:
    """Fulfils ``api.context.Model`` with one child process, spawned (never forked) and bound to this one's life."""

    def __init__(
        self, engine: type[Any] | str, options: dict[str, Any], megabytes: float, stage: str, plugin: str,
        admission: Admission, number: int = 1, python: Path | None = None,
    ) -> None:  # fmt: skip
        """Remember what to start; nothing is started yet.

        A plugin's second model has the number 2; ``python`` is the interpreter where it is not ours.
        """
        self._engine = f"{engine.__module__}:{engine.__qualname__}" if isinstance(engine, type) else str(engine)
        self._options, self.megabytes = options, megabytes
        self.name = named(stage, plugin, number)
        self.holds = Holds()
        self._stage, self._plugin = stage, plugin
        self._admission = admission
        self._python = python
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._header: tuple[int, int] | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._loaded = False

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def loaded(self) -> bool:
        """Whether the child lives and has its engine."""
        return self._loaded and self.pid is not None

    async def load(self) -> None:
        """Start the child and build the engine in it."""
        async with self._turn:
            await self._ready()

    async def call(self, method: str, *args: Any) -> Any:
        """Call the engine's method in the child."""
        result = None
        with self.holds.held():
            async with self._turn, aclosing(self._request("call", method, args)) as answers:
                async for answer in answers:
                    result = answer.get("result")
        return result

    async def stream(self, method: str, *args: Any) -> AsyncGenerator[Any, None]:
        """Yield what the engine's generator yields in the child."""
        with self.holds.held():
            async with self._turn, aclosing(self._request("stream", method, args)) as answers:
                async for answer in answers:
                    if "item" in answer:
                        yield answer["item"]

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """Count who needs it loaded."""
        with self.holds.held():
            yield

    async def unload(self) -> None:
        """End the child: all its memory is given back."""
        process, self._process = self._process, None
        self._loaded = False
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if process is None:
            return
        try:
            async with asyncio.timeout(1.0):
                await process.wait()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                process.kill()
        await process.wait()
        self._admission.left(self.name)

    async def _request(self, do: str, method: str, args: tuple[Any, ...]) -> AsyncGenerator[dict[str, Any], None]:
        await self._ready()
        number = next(self._numbers)
        await self._send({"id": number, "do": do, "method": method, "args": list(args)})
        ended = False
        try:
            while not ended:
                answer = await self._answer(number)
                ended = "item" not in answer
                if "error" in answer:
                    raise self._failure(answer)
                yield answer
        finally:
            if not ended and self._writer is not None:
                # What the child still sends of this call is skipped by its number in the next one.
                self._writer.write(pack({"id": number, "do": "cancel"}))

    async def _answer(self, number: int, limit: float = ANSWER_LIMIT) -> dict[str, Any]:
        while True:
            try:
                # Not wait_for: in Python 3.11 it loses a cancel that comes together with the message.
                async with asyncio.timeout(limit):
                    message = await self._message()
            except (TimeoutError, OSError, EOFError, ValueError) as err:
                raise await self._died(err, limit) from err
            if message["id"] == number:
                return message

    async def _message(self) -> dict[str, Any]:
        assert self._reader is not None
        if self._header is None:
            self._header = lengths(await self._reader.readexactly(HEADER.size))
        text, blob = self._header
        data = await self._reader.readexactly(text + blob)
        self._header = None
        return unpack(data[:text], data[text:])

    async def _send(self, message: dict[str, Any]) -> None:
        assert self._writer is not None
        self._writer.write(pack(message))
        try:
            await self._writer.drain()
        except OSError as err:
            raise await self._died(err) from err

    async def _died(self, err: BaseException, limit: float = ANSWER_LIMIT) -> StageFailed:
        self._deaths.append(time.monotonic())
        process = self._process
        if process is not None and process.returncode is None and isinstance(err, TimeoutError):
            process.kill()
        await self.unload()
        status = process.returncode if process is not None else None
        what = f"did not answer for {limit:.0f} s" if isinstance(err, TimeoutError) else f"ended ({status})"
        return StageFailed(self._stage, self._plugin, f"its process {what}; it is started again at the next use")

    async def _ready(self) -> None:
        if self.pid is not None:
            return
        if self._process is not None:
            self._deaths.append(time.monotonic())
            await self.unload()
        if len(self._deaths) == DEATHS and time.monotonic() - self._deaths[0] < DEATHS_WITHIN:
            raise NotReady(f"{self.name}: its process died {DEATHS} times in {DEATHS_WITHIN:.0f} s; see the log")
        async with self._admission.loading(self.name, self.megabytes):
            await self._start()

    async def _spawn(self, descriptor: int) -> asyncio.subprocess.Process:
        program = [sys.executable, "-m", "avatard.runtime.child", str(descriptor)]
        if self._python is not None:
            program = [str(self._python), "-c", ELSEWHERE, str(descriptor), str(Path(__file__).parents[1])]
        return await asyncio.create_subprocess_exec(
            *program, pass_fds=(descriptor,), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs, _closed_on_error(ours):
            try:
                self._process = await self._spawn(theirs.fileno())
            except OSError as err:
                raise NotReady(f"{self.name}: {self._python or sys.executable} cannot be run: {err.strerror}") from err
            self._header = None
            self._reader, self._writer = await asyncio.open_connection(sock=ours)
        number = next(self._numbers)
        request = {"id": number, "do": "load", "engine": self._engine, "options": self._options, "custom": mounted()}
        await self._send(request)
        answer = await self._answer(number, ANSWER_LIMIT + self.megabytes / SLOWEST)
        if "error" in answer:
            await self.unload()
            raise self._failure(answer)
        self._loaded = True

    def _failure(self, answer: dict[str, Any]) -> AvatardError:
        text: str = answer["error"]
        if answer.get("kind") == "ConfigError":
            return ConfigError(text.removeprefix("ConfigError: "))
        if answer.get("kind") == "NotReady":
            return NotReady(f"{self.name}: {text.removeprefix('NotReady: ')}")
        return StageFailed(self._stage, self._plugin, text)


@contextmanager
def _closed_on_error(sock: socket.socket) -> Iterator[None]:
    """Close the socket unless the block takes it over."""
    try:
        yield
    except BaseException:  # whoever did not take it over does not close it
        sock.close()
        raise
