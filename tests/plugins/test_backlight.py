"""The screen as furniture: when it dims, sleeps and wakes. The clock is in the test's hand."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatard.api.context import Pulse
from avatard.api.errors import NotReady
from avatard.api.news import Problem, SettingChanged, StateChanged, Touched, WakeHeard
from avatard.plugins.backlight.bridge import Furniture
from avatard.plugins.backlight.config import ScreenConfig
from avatard.plugins.backlight.night import Night
from avatard.plugins.backlight.probing import Found
from avatard.plugins.backlight.rest import Rest
from avatard.runtime.config import ConfigProblems, from_mapping
from avatard.runtime.feed import Feed

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self, wall: float = 0.0) -> None:
        self._time, self._wall = 1000.0, wall
        self.due: float | None = None
        self.looks = 0

    def now(self) -> float:
        return self._time

    def wall(self) -> float:
        return self._wall + self._time - 1000.0

    async def wait(self, changed: asyncio.Event, seconds: float) -> None:
        self.looks += 1
        self.due = self._time + seconds
        while not changed.is_set() and self._time < self.due:
            await asyncio.sleep(0)
        self.due = None

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    async def forward(self, minutes: float) -> None:
        """Move it, stopping wherever somebody wants to be woken."""
        await self.settle()
        end = self._time + minutes * 60
        while self.due is not None and self.due <= end:
            self._time = self.due
            await self.settle()
        self._time = end
        await self.settle()


class Panel:
    """Remembers what it was told; ``broken`` says why it does not obey."""

    name = "panel"

    def __init__(self) -> None:
        self.done: list[bool | int] = []
        self.broken = self.closed = ""

    async def switch(self, on: bool) -> None:
        if self.broken:
            raise NotReady(self.broken)
        self.done.append(on)

    async def dim(self, percent: int) -> None:
        if self.broken:
            raise NotReady(self.broken)
        self.done.append(percent)

    async def close(self) -> None:
        self.closed = "yes"

    def take(self) -> list[bool | int]:
        done, self.done = self.done, []
        return done


class Room:
    """A furniture with everything around it."""

    def __init__(self, hand: Hand, panel: Panel, dims: bool, **options: Any) -> None:
        self.clock, self.panel, self.feed = hand, panel, Feed()
        self.told: list[Any] = []
        context = cast(Any, SimpleNamespace(news=self.feed, logger=logging.getLogger("test")))
        config = ScreenConfig(touch=False, means="none", **options)
        self.screen = Furniture(context, config, Found(panel, panel if dims else None), hand)

    async def news(self, *events: Any) -> None:
        for event in events:
            self.feed.publish(event)
            await self.clock.settle()

    async def turn(self) -> None:
        await self.news(*(StateChanged(s) for s in ("listening", "processing", "responding", "idle")))

    def take(self) -> list[Any]:
        """What was published of the screen since the last look."""
        told, self.told = self.told, []
        return told


@asynccontextmanager
async def room(wall: float = 0.0, dims: bool = True, **options: Any) -> AsyncIterator[Room]:
    there = Room(Hand(wall), Panel(), dims, **options)
    pulse = cast(Pulse, None)

    async def remember() -> None:
        with there.feed.subscribe() as news:
            async for event in news:
                if isinstance(event, SettingChanged | Problem):
                    there.told.append(event)

    async with asyncio.TaskGroup() as tasks:
        jobs = [tasks.create_task(job) for job in
                (remember(), there.screen.notice(pulse), there.screen.keep(pulse))]  # fmt: skip
        await there.clock.settle()
        try:
            yield there
        finally:
            for job in jobs:
                job.cancel()


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", BERLIN)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


SCREEN_ON, SCREEN_OFF = SettingChanged("screen", True), SettingChanged("screen", False)


async def test_it_dims_then_sleeps_and_each_is_told_once() -> None:
    async with room(dim_minutes=5, sleep_minutes=15) as r:
        assert r.panel.take() == [100, True], "begins awake"
        await r.clock.forward(4.9)
        assert (r.panel.take(), r.take(), r.screen.screen) == ([], [], True)
        await r.clock.forward(0.2)
        assert (r.panel.take(), r.take(), r.screen.screen) == ([30], [], True)
        await r.clock.forward(9.8)
        assert (r.panel.take(), r.screen.screen) == ([], True)
        await r.clock.forward(0.2)
        assert (r.panel.take(), r.take(), r.screen.screen) == ([False], [SCREEN_OFF], False)


async def test_it_rests_between_changes() -> None:
    async with room(dim_minutes=5, sleep_minutes=15) as r:
        await r.clock.forward(600)
        assert r.clock.looks == 3, f"awake, dim, asleep; it looked {r.clock.looks} times in ten hours"
        assert r.clock.due == math.inf


@pytest.mark.parametrize("events", [
    [WakeHeard("okay_nabu", 0.9, 1.0)], [StateChanged("listening")], [StateChanged("responding")],
    [StateChanged("processing")], [Touched("kitchen")],
], ids=lambda e: type(e[0]).__name__ + getattr(e[0], "state", ""))  # fmt: skip
async def test_what_wakes_it(events: list[Any]) -> None:
    async with room() as r:
        await r.clock.forward(20)
        assert not r.screen.screen
        r.panel.take(), r.take()
        await r.news(*events)
        assert (r.panel.take(), r.take(), r.screen.screen) == ([100, True], [SCREEN_ON], True)


async def test_it_stays_awake_while_something_goes_on_and_counts_from_its_end() -> None:
    async with room(dim_minutes=5, sleep_minutes=15) as r:
        await r.clock.forward(20)
        await r.news(StateChanged("responding"))
        await r.clock.forward(60)
        assert r.screen.screen, "a long announcement"
        await r.news(StateChanged("idle"))
        r.panel.take()
        await r.clock.forward(4.9)
        assert r.panel.take() == []
        await r.clock.forward(0.2)
        assert r.panel.take() == [30]


async def test_a_touch_brightens_what_has_dimmed() -> None:
    async with room(dim_minutes=5, sleep_minutes=15) as r:
        await r.clock.forward(6)
        r.panel.take()
        await r.news(Touched("kitchen"))
        assert (r.panel.take(), r.take()) == ([100], [])
        await r.clock.forward(14.9)
        assert r.screen.screen
        await r.clock.forward(0.2)
        assert not r.screen.screen


async def test_only_what_is_named_wakes_it() -> None:
    async with room(wake_for=("touch",)) as r:
        await r.clock.forward(20)
        await r.news(WakeHeard("okay_nabu", 0.9, 1.0))
        await r.turn()
        assert not r.screen.screen
        await r.news(StateChanged("responding"), Touched("kitchen"))
        assert r.screen.screen
        await r.clock.forward(60)
        assert r.screen.screen, "an answer goes on"


async def test_an_answer_to_a_wake_word_is_no_announcement() -> None:
    async with room(wake_for=("say",)) as r:
        await r.clock.forward(20)
        await r.turn()
        assert not r.screen.screen
        await r.news(StateChanged("responding"))
        assert r.screen.screen


async def test_off_by_hand_holds_against_announcements_but_not_against_people() -> None:
    async with room() as r:
        await r.screen.set_screen(False)
        assert not r.screen.screen
        await r.news(StateChanged("responding"), StateChanged("idle"))
        await r.clock.forward(60)
        assert not r.screen.screen and r.panel.take() == [100, True, False]
        await r.news(WakeHeard("okay_nabu", 0.9, 1.0))
        assert r.screen.screen and r.take() == [SCREEN_ON], "whoever switched it off has told that"
        await r.clock.settle()


async def test_off_by_hand_may_hold_against_everybody() -> None:
    async with room(wake_from_off=()) as r:
        await r.screen.set_screen(False)
        await r.news(WakeHeard("okay_nabu", 0.9, 1.0), Touched("kitchen"))
        await r.turn()
        assert not r.screen.screen
        await r.screen.set_screen(True)
        assert r.screen.screen
        await r.clock.forward(15.1)
        assert not r.screen.screen, "it is no longer held: it sleeps"
        await r.news(Touched("kitchen"))
        assert r.screen.screen, "and wakes as from any sleep"


async def test_off_by_hand_in_the_midst_of_an_answer() -> None:
    async with room() as r:
        await r.news(StateChanged("listening"), StateChanged("processing"))
        await r.screen.set_screen(False)
        await r.news(StateChanged("responding"), StateChanged("idle"))
        assert not r.screen.screen, "the rest of the answer does not light it again"


async def test_zero_is_never() -> None:
    async with room(dim_minutes=0, sleep_minutes=0) as r:
        r.panel.take()
        await r.clock.forward(100_000)
        assert (r.panel.take(), r.clock.looks) == ([], 1)


async def test_pages_are_asked_to_dim_where_the_screen_cannot() -> None:
    async with room(dims=False, dim_minutes=5, sleep_minutes=15) as r:
        await r.clock.forward(6)
        assert (r.panel.take(), r.take()) == ([True], [SettingChanged("screen", "dim")])
        await r.news(Touched("kitchen"))
        assert (r.panel.take(), r.take()) == ([], [SCREEN_ON])
        await r.clock.forward(20)
        assert r.take() == [SettingChanged("screen", "dim"), SCREEN_OFF]


async def test_a_night(berlin: None) -> None:
    options = {"dim_minutes": 5, "sleep_minutes": 15, "night": "22:30-06:30", "night_sleep_seconds": 30}
    async with room(wall=at("2026-05-01T22:20"), **options) as r:
        await r.clock.forward(4)
        await r.news(Touched("kitchen"))
        r.panel.take()
        await r.clock.forward(5.9)
        assert (r.panel.take(), r.screen.screen) == ([30], True), "22:29:54"
        await r.clock.forward(0.2)
        assert (r.panel.take(), r.screen.screen) == ([False], False), "it is night, and was idle for longer"
        await r.clock.forward(120)
        await r.news(Touched("kitchen"))
        assert r.panel.take() == [10, True], "wakes dim"
        await r.clock.forward(0.4)
        assert r.screen.screen
        await r.clock.forward(0.2)
        assert not r.screen.screen
        r.panel.take()
        await r.clock.forward(8 * 60)
        assert (r.panel.take(), r.screen.screen) == ([], False), "it does not light up in the morning"
        await r.news(Touched("kitchen"))
        assert r.panel.take() == [100, True]


async def test_what_never_sleeps_by_day_wakes_in_the_morning(berlin: None) -> None:
    async with room(wall=at("2026-05-01T23:00"), dim_minutes=0, sleep_minutes=0, night="22:30-06:30") as r:
        await r.clock.forward(1)
        assert not r.screen.screen and r.panel.take() == [10, True, False]
        await r.clock.forward(7 * 60 + 28)
        assert not r.screen.screen, "06:29"
        await r.clock.forward(2)
        assert r.screen.screen and r.panel.take() == [100, True]


async def test_off_by_hand_outlasts_the_night(berlin: None) -> None:
    async with room(wall=at("2026-05-01T23:00"), dim_minutes=0, sleep_minutes=0, night="22:30-06:30") as r:
        await r.screen.set_screen(False)
        await r.clock.forward(13 * 60)
        assert not r.screen.screen, "noon"


async def test_a_clock_that_is_set_is_noticed(berlin: None) -> None:
    async with room(wall=at("1970-01-01T12:00"), night="22:30-06:30", sleep_minutes=0, dim_minutes=0) as r:
        await r.clock.forward(5)
        r.clock._wall = at("2026-05-01T23:00")
        await r.clock.forward(10.1)
        assert not r.screen.screen


async def test_what_does_not_obey_is_a_problem_once_and_over_once() -> None:
    async with room(dim_minutes=0, sleep_minutes=15) as r:
        r.panel.take()
        r.panel.broken = "unplugged"
        await r.clock.forward(60)
        assert r.take() == [Problem("backlight", "unplugged")], "however often it is tried"
        assert r.screen.screen, "it is still on, and says so"
        looks = r.clock.looks
        await r.clock.forward(60)
        assert 50 <= r.clock.looks - looks <= 61, "once a minute"
        r.panel.broken = ""
        await r.clock.forward(1)
        assert r.take() == [Problem("backlight", "", over=True), SCREEN_OFF] and not r.screen.screen
        await r.clock.forward(60)
        assert r.panel.take() == [False]


async def test_what_obeyed_in_part_is_told_again() -> None:
    async with room(dim_minutes=0, sleep_minutes=15) as r:
        r.panel.broken = "one of two monitors is on"
        await r.clock.forward(15.01)
        r.panel.broken = ""
        r.panel.take()
        await r.news(Touched("kitchen"))
        assert r.panel.take() == [100, True], "the other one is lit again"


async def test_who_switches_what_does_not_obey_is_told() -> None:
    async with room() as r:
        r.panel.broken = "unplugged"
        with pytest.raises(NotReady, match="did not go off"):
            await r.screen.set_screen(False)
        assert r.screen.screen
        r.panel.broken = ""
        await r.clock.forward(0.1)
        assert not r.screen.screen, "it was tried again"
        await r.clock.settle()
        assert r.take() == [Problem("backlight", "unplugged"), Problem("backlight", "", over=True), SCREEN_OFF]


async def test_closing_leaves_it_lit() -> None:
    async with room() as r:
        await r.clock.forward(20)
        r.panel.take()
        await r.screen.close()
        await r.news(Touched("kitchen"))
        assert (r.panel.take(), r.panel.closed) == ([100, True], "yes")


def changes(night: Night, begin: str, hours: int) -> list[str]:
    """When it begins and ends, looked at every minute."""
    found, was = [], night.look(at(begin))[0]
    for minute in range(hours * 60):
        now = at(begin) + minute * 60
        is_, seconds = night.look(now)
        assert seconds > 0 and night.look(now + seconds)[0] != is_ == night.look(now + seconds - 1)[0], (now, seconds)
        if is_ != was:
            found.append(datetime.fromtimestamp(now).strftime("%d %H:%M"))
        was = is_
    return found


@pytest.mark.parametrize(("hours", "begin", "expected"), [
    ("22:30-06:30", "2026-05-01T12:00", ["01 22:30", "02 06:30"]),
    ("01:00-05:00", "2026-05-01T12:00", ["02 01:00", "02 05:00"]),
    ("00:00-06:00", "2026-05-01T12:00", ["02 00:00", "02 06:00"]),
    ("22:30-06:30", "2026-03-28T12:00", ["28 22:30", "29 06:30"]),
    ("22:30-06:30", "2026-10-24T12:00", ["24 22:30", "25 06:30"]),
    ("22:30-02:30", "2026-10-24T12:00", ["24 22:30", "25 02:30"]),
    ("02:30-06:00", "2026-10-24T12:00", ["25 02:30", "25 06:00"]),
    ("22:30-02:30", "2026-03-28T12:00", ["28 22:30", "29 03:30"]),
    ("02:00-03:00", "2026-03-28T12:00", []),
])  # fmt: skip
def test_each_night_begins_and_ends_once(berlin: None, hours: str, begin: str, expected: list[str]) -> None:
    assert changes(Night.of(hours), begin, 22) == expected


def test_nights_are_as_long_as_they_are(berlin: None) -> None:
    night = Night.of("22:30-06:30")
    assert night.look(at("2026-05-01T22:30")) == (True, 8 * 3600)
    assert night.look(at("2026-03-28T22:30")) == (True, 7 * 3600), "clocks go forward"
    assert night.look(at("2026-10-24T22:30")) == (True, 9 * 3600), "clocks go back"


@pytest.mark.parametrize(("options", "said"), [
    ({"night": "22:30"}, "'22:30' are no hours; write them such as \"22:30-06:30\""),
    ({"night": "25:00-06:00"}, "hours go to 23 and minutes to 59"),
    ({"night": "06:00-06:00"}, "begins as it ends"),
    ({"dim_minutes": 20, "sleep_minutes": 10}, "dim_minutes 20 must be less than sleep_minutes 10"),
    ({"means": "hdmi"}, "auto"),
    ({"wake_for": ["doorbell"]}, "wake_word"),
    ({"brightness": 0}, "greater than or equal to 1"),
    ({"device": "../.."}, "device"),
    ({"device": ".."}, "as 'ls /sys/class/backlight' shows it"),
    ({"dim_minuts": 1}, "dim_minutes"),
])  # fmt: skip
def test_a_wrong_configuration_says_what_would_be_right(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigProblems) as caught:
        from_mapping({"backlight": options})
    assert said in str(caught.value) and "backlight" in str(caught.value), str(caught.value)


Steps = st.lists(st.sampled_from([
    "off", "on", Touched("k"), WakeHeard("w", 1, 0), *(StateChanged(s) for s in  # type: ignore[arg-type]
    ("idle", "listening", "processing", "responding", "error")), 1.0, 60.0, 900.0]), max_size=40)  # fmt: skip


@given(steps=Steps, nights=st.booleans())
def test_whatever_happens_off_holds_and_waiting_leads_somewhere(steps: list[Any], nights: bool) -> None:
    rest, now, held = Rest(ScreenConfig(wake_from_off=()), 0.0), 0.0, False
    for step in steps:
        if isinstance(step, float):
            now += step
        elif isinstance(step, str):
            rest.switch(step == "on", now)
            held = step == "off"
        else:
            rest.take(step, now)
        night = nights and int(now) % 7200 < 3600
        light, due = rest.look(now, night)
        assert due > now and (due < math.inf or light == "off" or rest.busy), (light, due)
        assert not held or light == "off", (step, light)
        assert rest.look(now, night) == (light, due), "looking changes nothing"
