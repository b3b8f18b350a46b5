"""The last spoken turns stay on the disk where that is wanted, and can be run again."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daemons import Running, eventually

from avatard.api.flow import AudioFrame
from avatard.api.news import Event, Problem, TurnReport
from avatard.cli.conversation import QUESTIONS, converse, record_questions
from avatard.plugins.file.wav import read_wav
from avatard.plugins.scripted.config import DisplayConfig, MicrophoneConfig
from avatard.plugins.scripted.display import ScriptedDisplay
from avatard.plugins.scripted.microphone import ScriptedMicrophone
from avatard.runtime import keeping
from avatard.runtime.config import Configuration, from_mapping
from avatard.runtime.feed import Feed
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.house import House, furnished
from avatard.runtime.keeping import WAITING, Keeper, Turn, Turns
from avatard.talk.attention import MEMORY

Scripted = Callable[..., Configuration]


def script_of(*questions: str) -> list[dict[str, Any]]:
    script: list[dict[str, Any]] = []
    for question in questions:
        script += [{"silence": 3.0}, {"wake": "okay_nabu"}, {"silence": 0.3}, {"say": question}, {"silence": 1.0}]
    return script


def asks(*questions: str) -> dict[str, Any]:
    return {"platform": "scripted", "pace": "fast", "script": script_of(*questions)}


@asynccontextmanager
async def keeping_house(configuration: Configuration) -> AsyncIterator[tuple[Foundation, House]]:
    """A house as the daemon opens it."""
    async with (
        open_foundation(configuration) as foundation, keeping.keeping(configuration, foundation) as keep,
        furnished(configuration, foundation, keep) as house,
    ):  # fmt: skip
        yield foundation, house


async def heard(house: House, count: int, seconds: float = 20) -> list[Event]:
    """What is told until so many turns have come to their end."""
    events: list[Event] = []
    with house.feed.subscribe(1000) as news:
        async with asyncio.timeout(seconds):
            async for event in news:
                events.append(event)
                if sum(type(e).__name__ == "TurnFinished" for e in events) == count:
                    break
    return events


def folder_of(id: str) -> Path:
    return Path(os.environ["XDG_STATE_HOME"]) / "avatard" / id / "turns"


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def turn(text: str, seconds: float = 1.0, at: float = 10.0) -> Turn:
    frames = [AudioFrame(np.full(512, n, np.int16), 16_000, at + n * 0.032, 0.0) for n in range(round(seconds / 0.032))]
    return Turn(TurnReport(7, "microphone", text, "Yes."), frames, datetime.now().astimezone())


async def test_the_last_turns_stay_and_nobody_else_may_read_them(scripted: Scripted) -> None:
    before = os.umask(0)
    try:
        async with keeping_house(scripted(microphone=asks("one", "two", "three"), listening={"keep": 2})) as (_, house):
            await heard(house, 3)
            await (await house.door.ask("a written one")).finished
    finally:
        os.umask(before)
    folder = folder_of("test")
    assert sorted(p.name for p in folder.iterdir()) == ["000002.json", "000002.wav", "000003.json", "000003.wav"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in folder.iterdir()} == {0o600}
    two, three = entries(folder)
    assert (two["heard"], two["reply"], three["heard"]) == ("two", "You said: two.", "three")
    assert two["wake"] == {"phrase": "okay_nabu", "score": 1.0} and "speech_end_to_first_frame" in two["ms"]
    assert datetime.fromisoformat(two["ended"]).tzinfo is not None
    # Positions in the sound: silence, the wake phrase's end, 0.3 s, what was asked.
    sound = read_wav(folder / "000002.wav")
    assert MEMORY - 0.1 < two["at"]["wake"] <= MEMORY + 0.1
    loud = np.flatnonzero(sound) / 16_000
    assert abs(loud[0] - two["at"]["wake"]) < 0.04 and two["at"]["speech_end"] - loud[-1] < 0.05
    assert 0.4 < len(sound) / 16_000 - two["at"]["speech_end"] < 0.7


async def test_a_kept_turn_is_heard_again(scripted: Scripted) -> None:
    async with keeping_house(scripted(microphone=asks("hello there"), listening={"keep": 1})) as (_, house):
        await heard(house, 1)
    kept = folder_of("test") / "000001.wav"
    again = scripted(microphone={"platform": "file", "path": str(kept), "pace": "fast"})
    turns = (await converse(again, lambda _: None)).turns
    assert [(t.heard, t.reply) for t in turns] == [("hello there", "You said: hello there.")]
    assert kept.exists(), "only the daemon forgets"
    assert turns[0].at["wake"] == pytest.approx(entries(folder_of("test"))[0]["at"]["wake"], abs=0.001)


async def test_without_a_wake_word_nothing_from_before_is_kept(scripted: Scripted) -> None:
    script = [*script_of("one"), {"silence": 1.0}, {"say": "two"}, {"silence": 1.0}]
    microphone = {"platform": "scripted", "pace": "fast", "script": script}
    listening = {"keep": 2, "follow_up": "always"}
    async with keeping_house(scripted(microphone=microphone, listening=listening)) as (_, house):
        await heard(house, 2)
    one, two = entries(folder_of("test"))
    assert (one["heard"], two["heard"], two["wake"]) == ("one", "two", None)
    # It listened again as the first answer ended.
    sound = np.flatnonzero(read_wav(folder_of("test") / "000002.wav")) / 16_000
    assert 0.5 < sound[0] < 2.0 and sound[-1] - sound[0] < 0.35, "the first request is not in it"


async def test_nothing_is_kept_unless_it_is_wanted(scripted: Scripted) -> None:
    async with keeping_house(scripted(microphone=asks("one"))) as (_, house):
        await heard(house, 1)
    assert not folder_of("test").exists()


async def test_what_a_visitor_says_is_not_kept(scripted: Scripted) -> None:
    async with keeping_house(scripted(listening={"keep": 5})) as (foundation, _):
        microphone = ScriptedMicrophone(MicrophoneConfig.model_validate({"script": script_of("mine")[1:]}))
        with foundation.feed.subscribe(1000) as news:
            async with foundation.visit("web", microphone, ScriptedDisplay(DisplayConfig(pace="fast")), "anna"):
                async with asyncio.timeout(20):
                    async for event in news:
                        if type(event).__name__ == "TurnFinished":
                            break
    assert not folder_of("test").exists()


def test_a_turn_has_a_longest_sound(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "turns", 3, 2.0)
    turns.put(turn("long", seconds=60))
    assert len(read_wav(tmp_path / "turns" / "000001.wav")) == 2 * 16_000


def test_none_are_kept_any_more_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    folder = tmp_path / "turns"
    turns = Turns(folder, 3, 10.0)
    for text in "abc":
        turns.put(turn(text))
    (folder / "000009.part").write_text("a power cut")
    (folder / "000008.wav").write_text("one before")
    Turns(folder, 2, 10.0).tidy()
    assert [e["heard"] for e in entries(folder)] == ["b", "c"] and len(list(folder.iterdir())) == 4
    (folder / "mine.wav").write_text("somebody's own")
    Turns(folder, 0, 10.0).tidy()
    assert [p.name for p in folder.iterdir()] == ["mine.wav"]
    (folder / "mine.wav").unlink()
    Turns(folder, 0, 10.0).tidy()
    Turns(folder, 0, 10.0).tidy()
    assert not folder.exists()


def test_a_full_disk_leaves_the_earlier_turns_and_no_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "turns"
    turns = Turns(folder, 1, 10.0)
    turns.put(turn("first"))

    def full(path: Path, data: object) -> None:
        path.with_suffix(".part").write_text("{")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(keeping, "write_json", full)
        with pytest.raises(OSError, match="No space"):
            turns.put(turn("second"))
    assert sorted(p.name for p in folder.iterdir()) == ["000001.json", "000001.wav"]
    assert entries(folder)[0]["heard"] == "first"


async def test_what_cannot_be_written_is_told_and_every_turn_is_answered(scripted: Scripted) -> None:
    folder = folder_of("test")
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    configuration = scripted(microphone=asks("one", "two"), listening={"keep": 2})
    async with open_foundation(configuration) as foundation:
        with foundation.feed.subscribe(1000) as news:
            async with (
                keeping.keeping(configuration, foundation) as keep, furnished(configuration, foundation, keep) as house
            ):  # fmt: skip
                events = await heard(house, 2)
            events += news.waiting()
        problems = [e.what for e in events if isinstance(e, Problem) and e.where == "keep"]
        assert problems and all(str(folder) in what and "keep: 0" in what for what in problems)
        replies = [e.report.reply for e in events if type(e).__name__ == "TurnFinished"]  # type: ignore[union-attr]
        assert replies[:2] == ["You said: one.", "You said: two."]
        assert "keep" in foundation.door.problems
        folder.unlink()
        with foundation.feed.subscribe(1000) as news:
            async with keeping.keeping(configuration, foundation) as keep:
                assert keep is not None
                keep(turn("three").report, turn("three").frames)
            assert Problem("keep", "", over=True) in news.waiting()
    assert [e["heard"] for e in entries(folder)] == ["three"]


async def test_a_disk_that_hangs_holds_up_nobody(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    free, put = threading.Event(), Turns.put

    def hangs(self: Turns, turn: Turn) -> None:
        free.wait(30)
        put(self, turn)

    monkeypatch.setattr(Turns, "put", hangs)
    try:
        async with keeping_house(scripted(microphone=asks("one", "two"), listening={"keep": 2})) as (_, house):
            await heard(house, 2)  # while the first one is being written
            assert (await (await house.door.ask("three")).finished).reply == "You said: three."
            assert not folder_of("test").exists()
            free.set()
    finally:
        free.set()
    assert [e["heard"] for e in entries(folder_of("test"))] == ["one", "two"]


async def test_turns_do_not_pile_up_behind_a_slow_disk(tmp_path: Path) -> None:
    feed = Feed()
    keeper = Keeper(Turns(tmp_path / "turns", 50, 10.0), feed, ailing=False)
    with feed.subscribe() as news:
        for number in range(WAITING + 1):
            keeper.keep(turn(str(number)).report, turn(str(number)).frames)
        assert [e.where for e in news.waiting() if isinstance(e, Problem)] == ["keep"]
        writing = asyncio.ensure_future(keeper.run())
        await keeper.close(writing)
    assert [e["heard"] for e in entries(tmp_path / "turns")] == [str(n) for n in range(1, WAITING + 1)]


def test_switched_off_it_forgets(tmp_path: Path) -> None:
    microphone = "{platform: scripted, script: [{wake: okay_nabu}, {silence: 0.3}, {say: hello}, {silence: 1}]}"
    with Running(tmp_path, microphone=microphone, listening="{keep: 3}") as daemon:
        eventually(lambda: entries(folder_of("box")))
        daemon.hang_up(microphone=microphone, listening=None)
        assert not folder_of("box").exists()
        assert daemon.end() == 0


@pytest.mark.long
async def test_the_demo_runs_kept_turns_again(tmp_path: Path) -> None:
    """The default engines hear the same in what was kept."""
    questions = tmp_path / "questions"
    questions.mkdir()
    asked = QUESTIONS[:2]
    paths = [str(path) for path in (await record_questions(questions))[: len(asked)]]
    configuration = from_mapping({
        "name": "box", "display": {"platform": "none"}, "listening": {"keep": 3}, "sounds": {"wake": False},
        "microphone": {"platform": "file", "path": paths},
    })  # fmt: skip
    async with keeping_house(configuration) as (_, house):
        await heard(house, len(asked), 60)
    kept = sorted(folder_of("box").glob("*.wav"))
    assert [e["heard"] for e in entries(folder_of("box"))] == list(asked)
    shutil.rmtree(questions)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "avatard", "demo", "--wav", *map(str, kept), "--out", str(tmp_path / "out"), "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)["turns"]
    assert [t["heard"] for t in again] == list(asked)
    assert [t["wake"]["phrase"] for t in again] == [e["wake"]["phrase"] for e in entries(folder_of("box"))]
    assert (tmp_path / "out" / "demo.mp4").stat().st_size > 10_000
