"""The watch over a microphone: what counts as deaf, what is told, when it is opened again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from avatard.api.errors import NotReady, StageFailed
from avatard.api.flow import LISTEN_RATE, AudioFrame
from avatard.api.news import Problem
from avatard.runtime.feed import Feed
from avatard.talk.deafness import FREEZES, LONGEST, QUICK, SLOW, ZEROS, Deafness, repeats
from avatard.talk.loudness import Loudness
from avatard.talk.watch import LOOK, LOSSES, Absent, Deaf, Watch

FRAME = 1024
SECONDS = FRAME / LISTEN_RATE
RNG = np.random.default_rng(3)


def frame(samples: Any) -> AudioFrame:
    return AudioFrame(np.asarray(samples, np.int16), LISTEN_RATE, 0.0, 0.0)


def noise(level: float = 40) -> AudioFrame:
    return frame(RNG.normal(0, level, FRAME))


SILENCE = frame(np.zeros(FRAME))


def lasts(deafness: Deafness, seconds: float, sound: AudioFrame | None = None) -> str:
    """Feed so many seconds of a sound, noise where none is given."""
    for _ in range(round(seconds / SECONDS)):
        deafness.feed(sound or noise())
    return deafness.fault


def until_fault(deafness: Deafness, seconds: float = 100) -> float:
    for count in range(round(seconds / SECONDS)):
        if deafness.feed(SILENCE):
            return count * SECONDS
    return seconds


def test_zeros_are_a_fault_soon_where_there_never_were_any() -> None:
    deafness = Deafness()
    deafness.opened()
    assert lasts(deafness, 15) == ""
    assert until_fault(deafness) == pytest.approx(QUICK, abs=0.1)
    assert deafness.fault == ZEROS
    assert deafness.feed(noise()) == ""


def test_zeros_of_a_stranger_are_given_more_time() -> None:
    deafness = Deafness()
    deafness.opened()
    assert until_fault(deafness) == pytest.approx(SLOW, abs=0.1)


def test_a_gate_is_told_of_ever_less() -> None:
    """It gives zeros where nobody speaks, and recovers by itself each time."""
    deafness = Deafness()
    deafness.opened()
    lasts(deafness, 15)
    waits = []
    for _ in range(12):
        waits.append(until_fault(deafness, 5000))
        lasts(deafness, 5, SILENCE)
        assert lasts(deafness, 1) == ""
    assert waits[:5] == pytest.approx([QUICK, SLOW, SLOW * 2, SLOW * 4, SLOW * 8], abs=0.2), waits
    assert max(waits) <= LONGEST


def test_what_opening_again_cures_is_no_gate() -> None:
    deafness = Deafness()
    deafness.opened()
    lasts(deafness, 15)
    for _ in range(3):
        assert until_fault(deafness) == pytest.approx(QUICK, abs=0.1)
        deafness.opened()
        lasts(deafness, 1, SILENCE)
        assert lasts(deafness, 15) == ""


@pytest.mark.parametrize("period", [64, 1000, 1024, 4096, 7777])
def test_the_same_piece_again_and_again_is_a_fault(period: int) -> None:
    deafness = Deafness()
    deafness.opened()
    lasts(deafness, 5)
    sound = np.tile(RNG.normal(0, 300, period), 10 * LISTEN_RATE // period)
    faults = [deafness.feed(frame(sound[i : i + FRAME])) for i in range(0, len(sound) - FRAME, FRAME)]
    first = faults.index(FREEZES) * SECONDS
    assert first < 3, first
    assert lasts(deafness, 1.5) == FREEZES  # not at once: it may still be in it
    assert lasts(deafness, 2) == ""


def test_a_constant_is_a_fault() -> None:
    for value in (-1, 1, 0x0101, 5000):
        deafness = Deafness()
        deafness.opened()
        assert lasts(deafness, 4, frame(np.full(FRAME, value))) == FREEZES, value


def test_a_quiet_night_is_no_fault() -> None:
    """The last bit flickers now and then, or nothing but it."""
    for rate in (0.001, 0.01, 0.3):
        deafness = Deafness()
        deafness.opened()
        for _ in range(2000):
            bits = RNG.random(FRAME) < rate
            assert deafness.feed(frame(bits * RNG.choice([-1, 1], FRAME))) in ("", ZEROS), rate
        assert lasts(deafness, 0.1) == ""


def test_hum_is_no_repetition() -> None:
    t = np.arange(LISTEN_RATE) / LISTEN_RATE
    hum = 500 * np.sin(2 * np.pi * 50 * t)
    assert repeats(hum.astype(np.int16))  # of arithmetic
    assert not repeats((hum + RNG.normal(0, 1, len(t))).astype(np.int16))  # of a converter


def minutes(loudness: Loudness, count: int, level: float) -> str:
    for _ in range(count):
        for _ in range(60):
            loudness.feed(frame(RNG.normal(0, level, LISTEN_RATE)))
    return loudness.fault


def test_far_quieter_than_ever_is_told() -> None:
    loudness = Loudness()
    assert minutes(loudness, 70, 300) == ""
    assert minutes(loudness, 20, 60) == ""  # 14 dB: it may be the evening
    assert minutes(loudness, 14, 2) == ""
    assert "quieter than it ever was" in minutes(loudness, 2, 2)
    assert minutes(loudness, 1, 60) == ""


def test_a_stranger_is_never_too_quiet() -> None:
    loudness = Loudness()
    assert minutes(loudness, 30, 300) == ""
    assert minutes(loudness, 25, 2) == ""


class Card:
    """A microphone that gives what it is told."""

    live = True
    watched = True

    def __init__(self, *given: Any) -> None:
        self.dropped = 0
        self.given = list(given)

    async def frames(self) -> AsyncIterator[AudioFrame]:
        for one in self.given:
            if isinstance(one, Exception):
                raise one
            yield one
        await asyncio.sleep(3600)


class Case:
    """A watch, what it said, and its clock."""

    def __init__(self, card: Card) -> None:
        self.now = 0.0
        self.deaf: list[bool] = []
        feed = Feed()
        self.news = feed.subscribe()
        self.reader = self.news.__enter__()
        self.watch = Watch(card, self.deaf.append, feed, lambda: self.now)

    def told(self) -> list[Any]:
        return self.reader.waiting()

    def reopenings(self, seconds: float, sound: AudioFrame | None = None, hearing: bool = False) -> list[float]:
        """Take so many seconds of a sound (noise where none is given); return when it was to be opened again."""
        found = []
        for _ in range(round(seconds / SECONDS)):
            self.now += SECONDS
            try:
                self.watch.took(sound or noise(), hearing)
            except Deaf:
                found.append(self.now)
        return found


def test_a_deaf_one_is_told_of_once_and_opened_at_growing_intervals() -> None:
    case = Case(Card())
    assert case.reopenings(12) == []
    assert case.told() == [Problem("microphone", "", over=True)]
    again = case.reopenings(800, SILENCE)
    assert np.diff([12, *again]) == pytest.approx([2.5, 30, 60, 300], abs=0.2), again
    assert case.told() == [Problem("microphone", ZEROS)]
    assert case.deaf == [False, True]
    case.reopenings(0.1)
    assert case.told() == [Problem("microphone", "", over=True)]
    assert case.deaf == [False, True, False]


def test_a_request_is_not_broken() -> None:
    case = Case(Card())
    case.reopenings(12)
    assert case.reopenings(10, SILENCE, hearing=True) == []
    assert len(case.reopenings(1, SILENCE)) == 1


def test_one_that_does_not_ask_is_not_watched() -> None:
    card = Card()
    card.watched = False
    case = Case(card)
    case.reopenings(12)
    assert case.reopenings(100, SILENCE) == []
    assert case.deaf == [False]


async def test_one_that_is_away_is_looked_for_often_and_told_of_once() -> None:
    card = Card(NotReady("unplugged"))
    case = Case(card)
    for _ in range(20):
        with pytest.raises(Absent) as away:
            async for _frame in case.watch.frames(steady=True):
                raise AssertionError("it is away")
        assert case.watch.pause(away.value) == LOOK
        case.now += LOOK
    assert case.told() == [Problem("microphone", "unplugged")]
    assert case.deaf == [True]


async def test_one_that_falls_silent_counts_as_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.talk.watch.STILL", 0.1)
    case = Case(Card(noise(), noise()))
    found = []
    with pytest.raises(Absent, match="unplugged"):
        async for one in case.watch.frames(steady=True):
            found.append(one)
    assert len(found) == 2


def test_an_engine_that_fails_is_asked_ever_less() -> None:
    case = Case(Card())
    waits = [case.watch.pause(StageFailed("wake_word", "x")) for _ in range(9)]
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60], rel=0.21), waits
    case.now += 100
    assert case.watch.pause(StageFailed("wake_word", "x")) == pytest.approx(1, rel=0.21)


def test_many_losses_are_told_once_and_are_over_after_a_calm_minute() -> None:
    card = Card()
    case = Case(card)
    case.reopenings(70)
    case.told()
    for _ in range(LOSSES * 2):
        card.dropped += 1
        case.reopenings(0.1)
    told = case.told()
    assert len(told) == 1 and told[0].where == "microphone.overruns" and not told[0].over, told
    case.reopenings(150)
    assert case.told() == [Problem("microphone.overruns", "", over=True)]
