"""It does not hear itself: the parts of it, with the real cancellers and the real wake detector."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from avatard.api.echo import Likeness
from avatard.api.errors import StageFailed
from avatard.api.flow import AudioFrame, Samples, VideoFrame, WakeDetected
from avatard.api.news import Problem
from avatard.cli.rooms import room
from avatard.runtime.config import built_in, from_mapping
from avatard.runtime.feed import Feed
from avatard.runtime.foundation import open_foundation
from avatard.runtime.plugin import Opener
from avatard.runtime.voices import voices
from avatard.talk.attention import Attention
from avatard.talk.ownvoice import AFTER, BEFORE, TAIL, OwnVoice, Speaking
from avatard.talk.played import LATE, Played
from avatard.talk.recorded import level


@pytest.fixture
async def opener() -> AsyncIterator[Opener]:
    configuration = from_mapping({})
    async with open_foundation(configuration) as foundation, asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        yield Opener(stack, tasks, foundation, configuration)


def frame(index: int, samples: Samples | None = None, late: float = 0.0) -> AudioFrame:
    sound = np.zeros(1024, np.int16) if samples is None else samples
    return AudioFrame(sound, 16_000, index * 0.064, 100 + (index + 1) * 0.064 + late)


def tone(count: int) -> Samples:
    rng = np.random.default_rng(5)
    return (np.repeat(rng.normal(0, 3000, count // 24 + 1), 24)[:count]).astype(np.int16)


@pytest.mark.parametrize("jitter", [0.0, 0.05])
def test_what_was_played_lies_still_beside_what_is_heard(jitter: float) -> None:
    played, sound, rng = Played(), tone(48_000 * 4), np.random.default_rng(1)
    laid = []
    played.add(np.zeros(0, np.int16), 100.0)
    for index in range(60):
        for part in range(4):
            first = index * 3072 + part * 768
            # A device asks for some in advance, and its calls come a little early or late.
            played.add(sound[first : first + 768], 100 + first / 48_000 - 0.05 + rng.uniform(0, 0.04))
        one = frame(index, late=float(rng.uniform(0, jitter)) * (index > 0))
        played.heard(one)
        laid.append(played.during(one))
    heard, plain = np.concatenate(laid)[8000:48_000].astype(float), sound[::3].astype(float)
    lags = [np.corrcoef(heard, plain[8000 - lag : 48_000 - lag])[0, 1] for lag in range(0, 3000, 8)]
    best = int(np.argmax(lags)) * 8
    assert lags[best // 8] > 0.95, max(lags)
    # What was given in advance counts from when it was given.
    assert 0 <= best <= LATE * 16_000 + 16, best


def test_a_gap_is_silence() -> None:
    played, sound = Played(), tone(48_000)
    played.add(sound[:9600], 100.0)
    one = frame(0)
    played.heard(one)
    assert np.abs(played.during(frame(1))).max() > 1000
    assert np.abs(played.during(frame(20))).max() == 0
    played.add(sound[:9600], 105.0)
    assert np.abs(played.during(frame(80))).max() > 1000


async def frames_of(sound: Samples) -> AsyncIterator[VideoFrame]:
    for index in range(len(sound) // 1920):
        yield VideoFrame(None, sound[index * 1920 : (index + 1) * 1920], index / 25)


class Room:
    """A wake detector that hears "word" where a frame is loud, and cancellers."""

    def __init__(self, failing: bool = False) -> None:
        self.failing, self.cleaned = failing, 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Room]:
        yield self

    async def feed(self, frame: AudioFrame) -> WakeDetected | None:
        return WakeDetected("word", 1.0, frame.end) if np.abs(frame.samples).max(initial=0) > 20_000 else None

    async def clean(self, frame: AudioFrame, played: Samples) -> AudioFrame:
        self.cleaned += 1
        if self.failing:
            raise StageFailed("echo", "test", "broken")
        return AudioFrame(np.full_like(frame.samples, 7), frame.rate, frame.at, frame.captured)


LOUD = np.full(1024, 25_000, np.int16)


async def test_it_ignores_the_phrase_that_it_says_where_it_says_it() -> None:
    now, shown = 100.0, 0.0
    own = OwnVoice(lambda: shown, lambda: now)
    sound = np.zeros(48_000 * 6, np.int16)
    sound[48_000 * 3 : 48_000 * 3 + 1920] = 25_000
    async with Attention(Room(), own, None, (), Feed()).open(live=True) as ear:
        with own.speaking(list) as answer:
            async for _ in own.rehearsed(frames_of(sound), answer):
                pass
            woken = {}
            for index in range(0, 90, 4):
                now, shown = 100 + (index + 1) * 0.064, (index + 1) * 0.064
                _, detected = await ear.take(frame(index, LOUD))
                woken[shown] = detected is not None
    ignored = [at for at, heard in woken.items() if 3 - BEFORE + 0.1 < at < 3 + AFTER - 0.1]
    assert ignored and not any(woken[at] for at in ignored), woken
    assert any(heard for at, heard in woken.items() if at < 3 - BEFORE - 0.1), woken
    assert any(heard for at, heard in woken.items() if at > 3 + AFTER + 0.1), woken


async def test_half_duplex_hears_nothing_while_it_speaks_and_shortly_after() -> None:
    now = 100.0
    own = OwnVoice(lambda: 0.0, lambda: now)
    async with Attention(Room(), own, Played(), (Room(),), Feed(), half_duplex=True).open(live=True) as ear:
        with own.speaking(list) as answer:
            assert (await ear.take(frame(0, LOUD)))[1] is not None  # it only thinks
            answer.begun = True
            heard, detected = await ear.take(frame(30, LOUD))
            assert detected is None and not heard.samples.any()
            now = frame(31).captured
        assert (await ear.take(frame(32, LOUD)))[1] is None
        later = 32 + int(TAIL / 0.064) + 2
        assert (await ear.take(frame(later, LOUD)))[1] is not None


async def test_a_canceller_that_fails_is_told_of_once_and_the_microphone_is_heard_as_it_is() -> None:
    own, broken, feed = OwnVoice(lambda: 0.0), Room(failing=True), Feed()
    with feed.subscribe() as news:
        async with Attention(Room(), own, Played(), (broken,), feed).open(live=True) as ear:
            with own.speaking(list) as answer:
                answer.begun = True
                for index in range(5):
                    heard, _ = await ear.take(frame(index))
                    assert heard.at == frame(index).at and not heard.samples.any()
        problems = [e for e in news.waiting() if isinstance(e, Problem)]
    assert broken.cleaned == 1 and [p.where for p in problems] == ["echo"], problems


class Keen:
    """A detector that hears "word" in what is not as loud as ours, and a canceller that leaves so much of it."""

    def __init__(self, leaves: float) -> None:
        self.leaves = leaves

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Keen]:
        yield self

    async def feed(self, frame: AudioFrame) -> WakeDetected | None:
        loudest = np.abs(frame.samples).max(initial=0)
        return WakeDetected("word", 1.0, frame.end) if 0 < loudest < LOUD[0] else None

    async def clean(self, frame: AudioFrame, played: Samples) -> AudioFrame:
        samples = (frame.samples * self.leaves).astype(np.int16)
        return AudioFrame(samples, frame.rate, frame.at, frame.captured)


async def overheard(canceller: Keen, played: Played, answers: int = 1) -> list[list[float]]:
    """Answers of three seconds, of which the first half second is silence; where wake words were found in each."""
    own, found = OwnVoice(lambda: 0.1, lambda: 100.1), []
    async with Attention(canceller, own, played, (canceller,), Feed()).open(live=True) as ear:
        for first in range(0, 100 * answers, 100):
            with own.speaking(list) as answer:
                answer.begun, woken = True, []
                for index in range(first, first + 47):
                    if index >= first + 8:
                        played.add(np.full(3072, LOUD[0]), frame(index).captured - 0.12)
                    if (await ear.take(frame(index, LOUD)))[1]:
                        woken.append(round((index + 1 - first) * 0.064, 2))
                found.append(woken)
            await ear.take(frame(first + 47))
    return found


@pytest.mark.parametrize(("leaves", "woken"), [(0.03, False), (0.2, False), (0.3, True), (0.9, True)])
async def test_a_wake_word_in_next_to_nothing_is_none(leaves: float, woken: bool) -> None:
    assert any(await overheard(Keen(leaves), Played())) == woken


async def test_what_a_canceller_leaves_counts_from_when_it_knows_the_room() -> None:
    for woken in await overheard(Keen(0.9), Played(), answers=2):
        assert 2 < woken[0] < 2.2, woken  # 1.5 s of our sound, after half a second of silence


async def test_a_canceller_that_gives_back_what_it_gets_learns_nothing() -> None:
    class Starting(Keen):
        async def clean(self, frame: AudioFrame, played: Samples) -> AudioFrame:
            return frame

        async def feed(self, frame: AudioFrame) -> WakeDetected | None:
            return WakeDetected("word", 1.0, frame.end) if frame.samples.any() and next(asked) % 2 else None

    asked = itertools.count()  # the microphone as it is hears nothing, the second stream everything
    assert await overheard(Starting(1), Played()) == [[]]


async def test_a_recording_and_silence_cost_no_canceller() -> None:
    own, canceller = OwnVoice(lambda: 0.0), Room()
    attention = Attention(Room(), own, Played(), (canceller,), Feed())
    async with attention.open(live=True) as ear:
        for index in range(5):
            await ear.take(frame(index))
    async with attention.open(live=False) as ear:
        assert own.rehearsal is None
        with own.speaking(list) as answer:
            answer.begun = True
            await ear.take(frame(6))
    assert canceller.cleaned == 0


@pytest.mark.parametrize(("heard", "echo"), [
    ("the kitchen lights are on", True), ("kitchen lights are on and the window", True),
    ("the kitchen lights are in and the window is open", True), ("stop", False), ("kitchen", False),
    ("turn off the kitchen lights", False), ("what time is it", False), ("", False),
])  # fmt: skip
def test_what_it_hears_itself_say_is_no_request(heard: str, echo: bool) -> None:
    now = 100.0
    own = OwnVoice(lambda: 1.0, lambda: now)
    said = ["The kitchen lights are on, and the window is open.", "The kitchen lights are on."]
    with own.speaking(lambda: said) as answer:
        answer.begun = True
        assert own.repeated(heard, 101) is echo
    assert own.repeated(heard, now + TAIL / 2) is echo
    assert own.repeated(heard, now + TAIL + 0.1) is False  # a person may say the same


def test_before_it_is_heard_it_says_nothing() -> None:
    answer = Speaking(list, begun=True)
    answer.like.append((0.1, Likeness("alexa", 1.0)))
    assert not answer.wakes("alexa", 100.0)


def test_what_hardly_resembles_a_phrase_is_ours_for_that_one_only() -> None:
    answer = Speaking(list, begun=True, origin=100.0)
    answer.like.append((1.0, Likeness("alexa", 0.1)))
    answer.like.append((5.0, Likeness("alexa", 0.9)))
    assert [answer.wakes(phrase, at) for phrase in ("alexa", "okay_nabu") for at in (101.1, 103.0, 105.1)] == [
        True, False, True, False, False, True]  # fmt: skip


@pytest.mark.parametrize(("platform", "wary"), [("microwakeword", 0.06), ("openwakeword", 0.4)])
async def test_a_detector_rehearses_every_phrase_and_what_only_resembles_one(
    opener: Opener, platform: str, wary: float
) -> None:  # fmt: skip
    detector: Any = await opener.open(built_in(platform, "wake_word"))
    shares: dict[str, float] = {}
    async with voices() as speaking:
        said = [await speaking.say(text, "en-gb-scotland+Diogo") for text in ("Alexa.", "Hey Jarvis.", "Okay nabu.")]
    sound = np.concatenate([part for one in said for part in (one, np.zeros(24_000))]).astype(np.int16)
    frames = [frame(index, sound[index * 1024 : (index + 1) * 1024]) for index in range(len(sound) // 1024)]
    async with detector.rehearse() as rehearsal, detector.open() as plain:
        woken = set()
        for one in frames:
            likenesses = await rehearsal.feed(one)
            assert len({like.phrase for like in likenesses}) == len(likenesses)
            shares |= {like.phrase: max(like.share, shares.get(like.phrase, 0)) for like in likenesses}
            assert all(like.share > wary for like in likenesses), likenesses
            if found := await plain.feed(one):
                woken.add(found.phrase)
    assert woken and {phrase for phrase, share in shares.items() if share > 1} == woken, (woken, shares)


@pytest.mark.parametrize(("platform", "least"), [("webrtc", 20), ("linear", 10)])
async def test_a_canceller_takes_the_echo_and_leaves_the_person(opener: Opener, platform: str, least: float) -> None:
    async with voices() as speaking:
        text = "It is ten past four in the afternoon, and the sun will go down at half past seven. "
        own = await speaking.say(text * 2, "en-us")
        person = await speaking.say("This is somebody else.", "en-us+f3")
    echo = room(3).heard(own)
    echo *= 2500 / level(echo)
    person *= 4000 / level(person)
    sound = echo + np.random.default_rng(2).normal(0, 10, len(echo))
    at = len(sound) - len(person) - 8000
    both = sound.copy()
    both[at : at + len(person)] += person

    async def cleaned(heard: Any) -> np.ndarray:
        out, given = [], own.astype(np.int16)
        async with canceller.open() as stream:
            for index in range(len(heard) // 1024):
                part = slice(index * 1024, (index + 1) * 1024)
                one = await stream.clean(frame(index, heard[part].astype(np.int16)), given[part])
                assert len(one.samples) == 1024
                out.append(one.samples)
        return np.concatenate(out).astype(float)

    canceller: Any = await opener.open(built_in(platform, "echo"))
    first = frame(0, LOUD)
    async with canceller.open() as stream, asyncio.timeout(20):
        while await stream.clean(first, LOUD) is first:
            await asyncio.sleep(0.05)
    alone, talking = await cleaned(sound), await cleaned(both)
    late = slice(len(sound) // 2, at)
    taken = 20 * np.log10(np.std(sound[late]) / np.std(alone[late]))
    assert taken > least, taken
    there = slice(at + 1000, at + len(person) - 1000)
    kept = 20 * np.log10(np.std(talking[there]) / np.std(person[1000:-1000]))
    assert -9 < kept < 3, kept
