"""Several who use one engine at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import numpy as np

from avatard.api.flow import Sentence, SpeechAudio
from avatard.runtime.config import Configuration
from avatard.runtime.house import open_house
from avatard.runtime.model import Granting, ThreadModel

Scripted = Callable[..., Configuration]


class Worker:
    """Works until it is let go, or told to stop."""

    def __init__(self) -> None:
        self.begun, self.go, self.cancels = threading.Event(), threading.Event(), 0

    def work(self, what: str) -> str:
        self.begun.set()
        self.go.wait(10)
        return what

    def cancel(self) -> None:
        self.cancels += 1
        self.go.set()


async def test_who_waits_for_a_turn_and_goes_ends_nobody_elses_work() -> None:
    worker = Worker()
    model = ThreadModel(lambda: worker, {}, 1, "tts", "worker", Granting())
    first = asyncio.ensure_future(model.call("work", "first"))
    await asyncio.to_thread(worker.begun.wait, 10)
    second = asyncio.ensure_future(model.call("work", "second"))
    await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.wait({second})
    assert (worker.cancels, first.done(), second.cancelled()) == (0, False, True)
    worker.begun.clear()
    worker.go.set()
    assert await first == "first"
    worker.go.clear()
    third = asyncio.ensure_future(model.call("work", "third"))
    await asyncio.to_thread(worker.begun.wait, 10)
    third.cancel()
    await asyncio.wait({third})
    assert worker.cancels == 1
    await model.unload()


async def test_a_slow_listener_does_not_hold_up_another(scripted: Scripted) -> None:
    async with open_house(scripted(tts="espeak")) as house:
        voice: Any = await house.place._means.voice.tts.engine()
        alone = [piece async for piece in voice.speak(Sentence("A short one.", 0))]
        slow = cast("AsyncGenerator[SpeechAudio, None]", voice.speak(Sentence("One two three four five. " * 8, 0)))
        begin = await anext(slow)
        async with asyncio.timeout(10):
            beside = [piece async for piece in voice.speak(Sentence("A short one.", 0))]
        rest = [piece async for piece in slow]
    assert not begin.last and rest[-1].last and len(rest) > 5
    # espeak-ng does not say it twice in exactly the same way.
    lengths = [sum(len(p.audio) for p in pieces) for pieces in (alone, beside)]
    assert abs(lengths[0] - lengths[1]) < 2000 < min(lengths) and np.abs(beside[0].audio).max() > 2000
