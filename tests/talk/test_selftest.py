"""The wake word's test of itself, with the real detector and voices."""

from __future__ import annotations

import asyncio
import datetime
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from daemons import AVATARD, Running

from avatard.api.errors import NotReady
from avatard.api.flow import AudioFrame, WakeDetected
from avatard.api.news import Problem
from avatard.runtime.config import from_mapping
from avatard.runtime.feed import Feed
from avatard.runtime.house import open_house
from avatard.runtime.selftest import SelfTest, until
from avatard.talk.selftest import TAKES

PHRASES = ("okay nabu", "hey jarvis", "alexa")


class Hearing:
    """A detector that hears everything, under one name, or nothing."""

    def __init__(self, phrase: str = "") -> None:
        self.phrase = phrase
        self.opened = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        self.opened += 1
        yield self

    async def feed(self, frame: AudioFrame) -> WakeDetected | None:
        return WakeDetected(self.phrase, 1.0, frame.end) if self.phrase else None


def test_of(wake: Any, folder: Path, feed: Feed, problems: dict[str, str], expected: tuple[str, ...] = ()) -> SelfTest:
    return SelfTest(wake, ("okay nabu", "my own"), expected, feed, folder / "wake_word.json", problems)


test_of.__test__ = False  # type: ignore[attr-defined]


async def test_the_real_detector_hears_every_phrase(scripted: Any) -> None:
    async with open_house(scripted(wake_word={"platform": "microwakeword"})) as house:
        assert await house.door.test_wake_word() == dict.fromkeys(PHRASES, "heard")
        assert house.door.status().problems == {}


def test_on_the_command_line(tmp_path: Path) -> None:
    with Running(tmp_path, wake_word="{platform: microwakeword, phrases: [alexa]}") as daemon:
        done = subprocess.run([*AVATARD, "listen", "--test"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.split()) == (0, ["alexa", "heard"]), done
        assert daemon.end() == 0


async def test_a_house_that_does_not_listen_cannot_be_tested(scripted: Any) -> None:
    async with open_house(scripted(listening={"enabled": False})) as house:
        with pytest.raises(NotReady, match="no wake word"):
            await house.door.test_wake_word()


async def test_a_deaf_detector_is_a_problem_until_it_hears_again(tmp_path: Path) -> None:
    feed, problems = Feed(), dict[str, str]()
    with feed.subscribe() as news:
        deaf = Hearing()
        outcome = await test_of(deaf, tmp_path, feed, problems, ("okay nabu",)).test()
        assert outcome == {"okay nabu": "missed", "my own": "untested"}
        assert deaf.opened == 2 * len(TAKES)
        (problem,) = news.waiting()
        assert isinstance(problem, Problem) and problem.what.startswith("okay nabu: not heard"), problem
        problems[problem.where] = problem.what
        outcome = await test_of(Hearing("okay_nabu"), tmp_path, feed, problems, ("okay nabu",)).test()
        assert outcome == {"okay nabu": "heard", "my own": "untested"}
        assert news.waiting() == [Problem("wake_word", "", over=True)]


async def test_what_was_heard_once_must_be_heard_again(tmp_path: Path) -> None:
    feed = Feed()
    assert (await test_of(Hearing("my_own"), tmp_path, feed, {}).test())["my own"] == "heard"
    assert json.loads((tmp_path / "wake_word.json").read_text()) == {"my own": list(TAKES[0])}
    assert await test_of(Hearing(), tmp_path, feed, {}).test() == {"okay nabu": "untested", "my own": "missed"}


async def test_a_spoilt_memory_is_none(tmp_path: Path) -> None:
    (tmp_path / "wake_word.json").write_text('["no"]')
    assert (await test_of(Hearing("my_own"), tmp_path, Feed(), {}).test())["my own"] == "heard"


def test_until_the_same_time_tomorrow() -> None:
    four = datetime.time(4)
    assert until(four, datetime.datetime(2026, 1, 5, 3, 59)) == 60
    assert until(four, datetime.datetime(2026, 1, 5, 4, 0)) == 24 * 3600
    assert until(four, datetime.datetime(2026, 1, 5, 4, 1)) == 24 * 3600 - 60


async def test_every_day_when_it_is_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.runtime.selftest.BUSY", 0.05)
    monkeypatch.setattr("avatard.runtime.selftest.until", lambda at, now: 0.05)
    wake, busy = Hearing("my_own"), True
    daily = asyncio.ensure_future(test_of(wake, tmp_path, Feed(), {}).daily(datetime.time(4), lambda: not busy))
    await asyncio.sleep(0.3)
    assert wake.opened == 0
    busy = False
    async with asyncio.timeout(20):
        while not wake.opened:
            await asyncio.sleep(0.05)
    daily.cancel()
    with pytest.raises(asyncio.CancelledError):
        await daily


@pytest.mark.parametrize("written,meant", [
    ("off", None), (False, None), ("04:00", datetime.time(4)), (14 * 60 + 30, datetime.time(14, 30)),
])  # fmt: skip
def test_when(written: Any, meant: Any) -> None:
    assert from_mapping({"name": "x", "listening": {"self_test": written}}).core.listening.self_test == meant


async def test_openwakeword_too(scripted: Any) -> None:
    wake = {"platform": "openwakeword", "phrases": ["okay_nabu", "hey_jarvis"]}
    async with open_house(scripted(wake_word=wake)) as house:
        assert await house.door.test_wake_word() == {"okay nabu": "heard", "hey jarvis": "heard"}
