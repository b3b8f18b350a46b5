"""All displays of a place as one: who is the clock, who follows, who comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from avatard.api.errors import NotReady, StageFailed
from avatard.api.flow import FPS, FRAME_SAMPLES, VideoFrame
from avatard.talk.branch import BRANCH_FRAMES
from avatard.talk.displays import Displays
from avatard.talk.guests import Guests
from avatard.talk.ranking import Ranking


class Sink:
    """Remembers what it was given."""

    accepts = "frames"
    pictures = True

    def __init__(self, fails_at: int | None = None, error: type[Exception] = NotReady) -> None:
        self.shown = 0.0
        self.frames: list[float] = []
        self.volume = -1
        self.gate = asyncio.Event()
        self.gate.set()
        self.clock: Callable[[], float] | str | None = "untold"
        self._fails_at, self._error = fails_at, error

    async def play(self, stream: AsyncIterator[VideoFrame]) -> None:
        self.shown = 0.0
        if self._fails_at == 0:
            raise self._fail()
        async for frame in stream:
            await self.gate.wait()
            self.frames.append(frame.pts)
            self.shown = frame.pts + 1 / FPS
            if len(self.frames) == self._fails_at:
                raise self._fail()

    def _fail(self) -> Exception:
        return NotReady("no card") if self._error is NotReady else StageFailed("display", "sink", "broken")

    async def chime(self, sound: Any) -> None: ...

    def set_volume(self, percent: int) -> None:
        self.volume = percent


class FollowingSink(Sink):
    def follow(self, shown: Callable[[], float] | None) -> None:
        self.clock = shown


class Switch:
    """A screen, and no display."""

    screen = True

    async def set_screen(self, on: bool) -> None:
        self.screen = on


async def answer(count: int) -> AsyncIterator[VideoFrame]:
    for index in range(count):
        await asyncio.sleep(0)
        yield VideoFrame(None, np.zeros(FRAME_SAMPLES, np.int16), index / FPS)


def displays(*sinks: Sink, guests: Guests | None = None) -> Displays:
    return Displays([(f"sink {n}", sink) for n, sink in enumerate(sinks)], Ranking("encoder", []), guests)


PTS = [index / FPS for index in range(120)]


async def test_every_display_gets_every_frame_and_the_first_is_the_clock() -> None:
    first, second = FollowingSink(), FollowingSink()
    both = displays(first, second)
    await both.play(answer(120), lambda: None)
    assert first.frames == second.frames == PTS
    assert first.clock is None and callable(second.clock)
    assert second.clock() == both.shown == first.shown == 120 / FPS


async def test_a_second_display_that_is_late_loses_its_oldest_and_never_holds_up_the_first() -> None:
    first, second = Sink(), Sink()
    second.gate.clear()
    both = displays(first, second)
    playing = asyncio.ensure_future(both.play(answer(120), lambda: None))
    while len(first.frames) < 120:
        await asyncio.sleep(0)
    second.gate.set()
    await playing
    # One was in its hands; the branch held the newest, of which the answer's end is one.
    assert second.frames == PTS[:1] + PTS[-(BRANCH_FRAMES - 1) :], second.frames
    assert both.dropped == 120 - BRANCH_FRAMES


async def test_the_clock_is_never_dropped_from() -> None:
    first = Sink()
    first.gate.clear()
    one = displays(first)
    playing = asyncio.ensure_future(one.play(answer(120), lambda: None))
    for _ in range(300):
        await asyncio.sleep(0)
    assert one.shown == 0.0
    first.gate.set()
    await playing
    assert first.frames == PTS and one.dropped == 0


async def test_where_the_first_display_cannot_be_had_the_next_is_the_clock() -> None:
    absent, second, third = Sink(fails_at=0), Sink(), Sink()
    three = displays(absent, second, third)
    second.gate.clear()
    playing = asyncio.ensure_future(three.play(answer(120), lambda: None))
    for _ in range(300):
        await asyncio.sleep(0)
    second.gate.set()
    await playing
    assert second.frames == third.frames == PTS and three.dropped == 0
    assert three.shown == second.shown == 120 / FPS


async def test_a_clock_that_is_lost_in_mid_answer_ends_the_answer() -> None:
    lost, second = Sink(fails_at=20), Sink()
    with pytest.raises(ExceptionGroup) as caught:
        await displays(lost, second).play(answer(120), lambda: None)
    assert caught.group_contains(NotReady, match="no card")


async def test_only_a_display_that_is_not_there_is_replaced() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await displays(Sink(fails_at=0, error=StageFailed), Sink()).play(answer(120), lambda: None)
    assert caught.group_contains(StageFailed, match="broken")


async def test_one_beside_the_clock_that_fails_is_left_out() -> None:
    first, broken = Sink(), Sink(fails_at=3, error=StageFailed)
    await displays(first, broken).play(answer(120), lambda: None)
    assert first.frames == PTS and len(broken.frames) == 3


async def test_guests_are_displays_while_they_stay() -> None:
    guests, first, guest = Guests(), Sink(), Sink()
    both = displays(first, guests=guests)
    both.set_volume(40)
    with guests.staying("web", guest):
        assert guest.volume == 40, "who comes later is as loud as the room"
        await both.play(answer(10), lambda: None)
    await both.play(answer(10), lambda: None)
    assert len(first.frames) == 20 and len(guest.frames) == 10


async def test_a_guest_alone_is_the_clock() -> None:
    guests, guest = Guests(), Sink()
    alone = displays(guests=guests)
    assert not alone.pictures and not alone.hurried
    with guests.staying("web", guest):
        assert alone.pictures and alone.hurried
        await alone.play(answer(10), lambda: None)
        assert alone.shown == pytest.approx(10 / FPS)
    await alone.play(answer(10), lambda: None)


async def test_a_guest_that_can_only_be_switched() -> None:
    guests, switch = Guests(), Switch()
    one = displays(Sink(), guests=guests)
    assert one.screen is None
    with guests.staying("backlight", switch):
        await one.set_screen(False)
        assert one.screen is False and switch.screen is False
        await one.play(answer(3), lambda: None)
    assert one.screen is None
