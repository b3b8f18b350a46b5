"""Calls that may block, beside the event loop: a device that has just gone can take its time to say so."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def aside(name: str, work: Callable[[], T], undo: Callable[[T], object] = lambda _: None) -> T:
    """Run ``work`` on a thread of its own; what it returns after a cancel is given to ``undo``, on that thread."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()
    abandoned = threading.Event()
    taken = threading.Event()

    def deliver(value: T) -> None:
        if not result.done():
            taken.set()
            result.set_result(value)

    def fail(err: BaseException) -> None:
        if not result.done():
            result.set_exception(err)

    def run() -> None:
        try:
            value = work()
        except Exception as err:  # whatever it is, it is raised where the work is awaited
            _tell(loop, fail, err)
            return
        _tell(loop, deliver, value)
        while not taken.wait(0.05):
            if abandoned.is_set() or loop.is_closed():
                undo(value)
                return

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        return await result
    except asyncio.CancelledError:
        if not taken.is_set():
            abandoned.set()
        else:
            threading.Thread(target=undo, args=(result.result(),), name=name, daemon=True).start()
        raise


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *args: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop may have ended, and who asked with it
        loop.call_soon_threadsafe(call, *args)
