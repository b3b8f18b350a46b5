"""A model on its thread: the one thread that may load, run and unload an engine."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from avatard.api.context import Admission
from avatard.api.errors import AvatardError, StageFailed
from avatard.runtime.holds import Holds

CLOSE_LIMIT = 5.0
"""Seconds that an engine may take to close."""

M_ARENA_MAX = -8
"""malloc.h"""

_END = object()


class Granting:
    """An ``Admission`` that always grants: for a model outside the daemon."""

    @asynccontextmanager
    async def loading(self, name: str, megabytes: float) -> AsyncIterator[None]:
        """Grant."""
        yield

    def left(self, name: str) -> None:
        """Nothing to note."""


def trim() -> None:
    """Return freed pages to the system; glibc keeps them otherwise."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


def one_arena() -> None:
    """Let all threads share glibc's one heap from now on.

    With a heap for each thread, an unloaded model leaves pieces behind in its thread's, and the next one fills another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Collect garbage and return what that freed to the system."""
    gc.collect()
    trim()


def _rest() -> None:
    """Nothing to do."""


def named(stage: str, plugin: str, number: int) -> str:
    """A model's name: ``tts.espeak``, and ``tts.espeak.2`` for the second one of the same plugin."""
    return f"{stage}.{plugin}" + (f".{number}" if number > 1 else "")


class ThreadModel:
    """Fulfils ``api.context.Model`` with one thread."""

    def __init__(
        self, engine: Callable[..., Any], options: dict[str, Any], megabytes: float, stage: str, plugin: str,
        admission: Admission, number: int = 1,
    ) -> None:  # fmt: skip
        """Remember how to build the engine; nothing is loaded yet. A plugin's second model has the number 2."""
        self._build = partial(engine, **options)
        self.megabytes = megabytes
        self.name = named(stage, plugin, number)
        self.holds = Holds()
        self._stage, self._plugin = stage, plugin
        self._admission = admission
        self._engine: Any = None
        self._pool: ThreadPoolExecutor | None = None
        self._loading = asyncio.Lock()
        self._at_work: Callable[[], Any] | None = None
        """What the thread does."""

    @property
    def loaded(self) -> bool:
        """Whether the engine is there."""
        return self._engine is not None

    async def load(self) -> None:
        """Build the engine on its thread, once room was made for it."""
        async with self._loading:
            if self._engine is not None:
                return
            async with self._admission.loading(self.name, self.megabytes):
                self._pool = ThreadPoolExecutor(1, thread_name_prefix=self.name)
                try:
                    self._engine = await self._on_thread(self._build)
                finally:
                    if self._engine is None:
                        self._pool.shutdown(wait=False)
                        self._pool = None
                        self._admission.left(self.name)

    async def call(self, method: str, *args: Any) -> Any:
        """Call the engine's method on its thread."""
        with self.holds.held():
            await self.load()
            return await self._on_thread(partial(getattr(self._engine, method), *args))

    async def stream(self, method: str, *args: Any) -> AsyncGenerator[Any, None]:
        """Step through the engine's generator on its thread."""
        with self.holds.held():
            await self.load()
            pool = self._pool
            assert pool is not None
            items = await self._on_thread(partial(getattr(self._engine, method), *args))
            try:
                while (item := await self._on_thread(partial(next, items, _END))) is not _END:
                    yield item
            finally:
                # Behind whatever step still runs: the thread serialises it, so nobody has to wait here. Where the
                # model was unloaded meanwhile, the generator has gone with it.
                with suppress(RuntimeError):
                    pool.submit(items.close)

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """Count who needs it loaded."""
        with self.holds.held():
            yield

    async def unload(self) -> None:
        """Close the engine on its thread, end the thread and give the memory back."""
        async with self._loading:
            if self._pool is None:
                return
            try:
                async with asyncio.timeout(CLOSE_LIMIT):
                    await self._emptied()
            except TimeoutError as late:
                raise StageFailed(self._stage, self._plugin, f"did not close within {CLOSE_LIMIT:.0f} s") from late
            finally:
                self._engine = None
                self._pool.shutdown(wait=False)
                self._pool = None
                self._admission.left(self.name)
                give_back_memory()

    async def _emptied(self) -> None:
        if hasattr(self._engine, "close"):
            await self._on_thread(self._engine.close)
        self._engine = None
        # The thread holds on to its last job, and so to the engine, until it takes the next one.
        await self._on_thread(_rest)

    def _done(self, job: Callable[[], Any]) -> Any:
        self._at_work = job
        try:
            return job()
        finally:
            self._at_work = None

    async def _on_thread(self, job: Callable[[], Any]) -> Any:
        assert self._pool is not None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._done, job)
        except asyncio.CancelledError:
            cancel = getattr(self._engine, "cancel", None)
            # What only waited for its turn must not end what somebody else waits for.
            if cancel is not None and self._at_work is job:
                cancel()
            raise
        except AvatardError:
            raise
        except Exception as err:  # the stage's edge: whatever a library raises ends here
            raise StageFailed(self._stage, self._plugin, f"{type(err).__name__}: {err}") from err
