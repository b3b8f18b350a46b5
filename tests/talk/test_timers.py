"""Timers: several, named, changed, kept over a restart, ringing until somebody stops them."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatard.api.door import Ticket
from avatard.api.errors import NotReady, Refused
from avatard.api.news import TimersChanged, TurnReport
from avatard.runtime.config import Configuration
from avatard.runtime.feed import Feed
from avatard.runtime.house import House, open_house
from avatard.runtime.memo import outlive
from avatard.talk.timers import STALE, Timer, Timers
from avatard.talk.waiting import DROPPED

Scripted = Callable[..., Configuration]


class Pulse:
    def beat(self, within: float) -> None: ...


class Bell:
    """Hands out tickets, or refuses."""

    def __init__(self) -> None:
        self.rung: list[str] = []
        self.tickets: list[asyncio.Future[TurnReport]] = []
        self.absent = False

    async def __call__(self, timer: Timer) -> Ticket:
        if self.absent:
            raise NotReady("the daemon is still starting")
        self.rung.append(timer.name)
        self.tickets.append(asyncio.get_running_loop().create_future())
        return Ticket(len(self.rung), self.tickets[-1])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A wall clock in the hand."""
    now = [1_800_000_000.0]
    monkeypatch.setattr("avatard.talk.timers.time", type("Time", (), {"time": staticmethod(lambda: now[0])}))
    yield now


def timers(bell: Bell | None = None) -> Timers:
    return Timers(bell or Bell(), Feed())


def test_several_named_and_found_by_name(clock: list[float]) -> None:
    some = timers()
    some.start(600, "Pizza")
    some.start(60, " green  tea ")
    some.start(30)
    assert [(v.name, v.seconds_left) for v in some.views()] == [("", 30), ("green tea", 60), ("Pizza", 600)]
    assert some.add(300, name="pizza").seconds_left == 900  # type: ignore[union-attr]
    assert some.add(5).seconds_left == 35, "without a name the next to end"  # type: ignore[union-attr]
    assert some.add(5, name="soup") is None and some.cancel(name="soup") is None
    assert some.cancel(name="Green Tea") is not None
    assert some.cancel() is not None and [v.name for v in some.views()] == ["Pizza"]


@pytest.mark.parametrize("seconds", [0, -5, 86_401, math.nan, math.inf])
def test_lengths_that_make_no_sense(clock: list[float], seconds: float) -> None:
    some = timers()
    with pytest.raises(Refused):
        some.start(seconds)
    some.start(60)
    with pytest.raises(Refused):
        some.add(-61 if seconds <= 0 else seconds)
    assert [v.seconds_left for v in some.views()] == [60]


async def ringing(some: Timers) -> asyncio.Task[None]:
    task = asyncio.ensure_future(some.run(Pulse()))
    for _ in range(10):
        await asyncio.sleep(0)
    return task


async def test_it_stays_until_its_ring_was_stopped(clock: list[float]) -> None:
    bell = Bell()
    some = timers(bell)
    some.start(10, "egg")
    clock[0] += 11
    task = await ringing(some)
    assert bell.rung == ["egg"] and some.views()[0].ringing
    assert some.add(60, name="egg") is None, "what rings has ended"
    bell.tickets[0].set_result(TurnReport(1, "timer"))
    await asyncio.sleep(0.01)
    assert some.views() == ()
    task.cancel()


async def test_one_whose_ring_was_never_heard_rings_again(clock: list[float]) -> None:
    bell = Bell()
    some = timers(bell)
    some.start(10, "egg")
    clock[0] += 11
    task = await ringing(some)
    bell.tickets[0].set_result(TurnReport(1, "timer", interrupted=True, error=DROPPED))
    await asyncio.sleep(0.01)
    assert not some.views()[0].ringing and bell.rung == ["egg"]
    clock[0] += 2
    some.start(60)
    await asyncio.sleep(0.01)
    assert bell.rung == ["egg", "egg"]
    task.cancel()


async def test_where_nobody_can_ring_it_is_tried_again(clock: list[float]) -> None:
    bell = Bell()
    bell.absent = True
    some = timers(bell)
    some.start(10, "egg")
    clock[0] += 11
    task = await ringing(some)
    assert [v.name for v in some.views()] == ["egg"] and not bell.rung
    bell.absent = False
    clock[0] += 2
    some.start(60)
    await asyncio.sleep(0.01)
    assert bell.rung == ["egg"]
    task.cancel()


def test_they_outlive_the_daemon(clock: list[float], tmp_path: Path) -> None:
    path = tmp_path / "timers.json"
    some = timers()
    outlive("timers", some, path)
    some.start(600, "pizza")
    some.start(20, "egg")
    some.start(86_400, "tomorrow")
    del some  # as kill -9 does
    clock[0] += 100
    again = timers()
    outlive("timers", again, path)
    assert [(v.id, v.name, v.seconds_left) for v in again.views()] == [
        (2, "egg", 0), (1, "pizza", 500), (3, "tomorrow", 86_300)
    ]  # fmt: skip
    assert again.start(30).id == 4
    clock[0] += STALE + 600
    third = timers()
    outlive("timers", third, path)
    assert [v.name for v in third.views()] == ["tomorrow"], "what ended long ago does not ring at night"


def test_a_clock_that_was_set_back_makes_none_longer(clock: list[float], tmp_path: Path) -> None:
    path = tmp_path / "timers.json"
    some = timers()
    outlive("timers", some, path)
    some.start(600, "pizza")
    clock[0] -= 1e6
    again = timers()
    outlive("timers", again, path)
    assert again.views()[0].seconds_left == 600


@pytest.mark.parametrize(
    "content",
    ["", "{", "[1]", '[{"id": 1}]', "[" * 100_000, '[{"id": 1, "name": "x", "seconds": 1, "ends": Infinity}]', "\x00",
     '{"a": 1}', '[{"id": "x", "name": 1, "seconds": "y", "ends": 1}]'],
)  # fmt: skip
def test_a_file_that_is_none_of_ours_is_told_and_replaced(tmp_path: Path, content: str, caplog: Any) -> None:
    path = tmp_path / "timers.json"
    path.write_text(content)
    some = timers()
    outlive("timers", some, path)
    assert str(path) in caplog.text
    some.start(60, "egg")
    assert [one["name"] for one in json.loads(path.read_text())] == ["egg"]


def test_a_full_disk_costs_no_timer(tmp_path: Path, caplog: Any) -> None:
    some = timers()
    blocked = tmp_path / "a file"
    blocked.write_text("")
    outlive("timers", some, blocked / "timers.json")
    assert some.start(60).seconds_left > 59 and "outlive" in caplog.text


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["start", "cancel", "add", "die"]), st.integers(-100, 5000)), max_size=20))
def test_whatever_is_done_the_file_says_what_runs(tmp_path_factory: Any, deeds: list[tuple[str, int]]) -> None:
    path = tmp_path_factory.mktemp("timers") / "timers.json"
    some = timers()
    outlive("timers", some, path)
    for deed, number in deeds:
        try:
            if deed == "start":
                some.start(number, f"t{number % 3}")
            elif deed == "add":
                some.add(number, name=f"t{number % 3}")
            elif deed == "cancel":
                some.cancel(name=f"t{number % 3}")
        except Refused:
            continue
        if deed == "die":
            before = [(v.id, v.name, v.ends) for v in some.views()]
            some = timers()
            outlive("timers", some, path)
            assert [(v.id, v.name) for v in some.views()] == [(id, name) for id, name, _ in before]


async def until_ringing(house: House, name: str) -> None:
    with house.feed.subscribe(256) as news:
        async with asyncio.timeout(10):
            async for event in news:
                if isinstance(event, TimersChanged) and any(t.ringing and t.name == name for t in event.timers):
                    return


async def test_in_the_house_each_rings_until_it_is_stopped(scripted: Scripted) -> None:
    async with open_house(scripted(display={"platform": "scripted"})) as house:
        await house.door.set_timer(1, "egg")
        await house.door.set_timer(1, "tea")
        await until_ringing(house, "tea")
        while house.place.current is None:
            await asyncio.sleep(0.01)
        assert house.place.current.text == "Your egg timer is done."
        await house.door.stop()
        names = [t.name for t in house.door.status().timers]
        assert names == ["tea"], "one stop ends the ring that is heard; the other one is not lost"
        await until_ringing(house, "tea")
        while house.place.current is None or not house.place.current.text.startswith("Your tea"):
            await asyncio.sleep(0.01)
        began = time.monotonic()
        assert await house.door.cancel_timer(name="tea") is not None
        assert house.door.status().timers == () and house.place.current is None
        assert time.monotonic() - began < 5
