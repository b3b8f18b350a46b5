"""Which engine of a ranking serves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from avatard.api.errors import NotReady, OutOfMemory, StageFailed
from avatard.api.news import EngineChanged
from avatard.runtime.feed import Feed
from avatard.talk.ranking import Ranking


def opening(name: str, *errors: Exception) -> tuple[str, Callable[[], Awaitable[str]]]:
    """A candidate that fails with each error in turn, and then opens."""
    left = list(errors)

    async def opened() -> str:
        if left:
            raise left.pop(0)
        return f"{name} engine"

    return name, opened


async def test_what_has_no_room_comes_back_and_what_failed_does_not() -> None:
    feed = Feed()
    ranking = Ranking("tts", [opening("a", OutOfMemory("no room")), opening("b", StageFailed("tts", "b")),
                              opening("c")], feed)  # fmt: skip
    with feed.subscribe() as news:
        assert await ranking.engine() == "c engine"
        assert (ranking.name, ranking.above, ranking.below) == ("c", "a", None)
        assert ranking.step_up("calm") and await ranking.engine() == "a engine"
        assert (ranking.above, ranking.step_up("calm"), ranking.serving) == (None, False, "a engine")
        assert ranking.step_down("short") and ranking.step_down("short") and not ranking.step_down("short")
        changed = [e for e in news.waiting() if isinstance(e, EngineChanged)]
    assert [(e.engine, e.why) for e in changed] == [
        ("b", "no room"), ("c", "tts (b) failed"), ("a", "calm"), ("b", "short"), ("c", "short")]  # fmt: skip
    assert ranking.step_up("calm") and ranking.name == "a"


async def test_the_last_error_comes_out() -> None:
    ranking = Ranking("stt", [opening("a", NotReady("gone")), opening("b", OutOfMemory("no room"))])
    with pytest.raises(OutOfMemory, match="no room"):
        await ranking.engine()
    assert await ranking.engine() == "b engine"


async def test_stepping_aside_while_it_opens() -> None:
    """The engine that was being opened is kept under its own name."""
    going = asyncio.Event()

    async def slow() -> str:
        await going.wait()
        return "a engine"

    ranking = Ranking("tts", [("a", slow), opening("b")])
    waiting = asyncio.ensure_future(ranking.engine())
    await asyncio.sleep(0)
    ranking.step_down("short")
    going.set()
    assert await waiting == "b engine"
    assert (ranking.name, await ranking.engine()) == ("b", "b engine")
    ranking.step_up("calm")
    assert ranking.serving == "a engine"
