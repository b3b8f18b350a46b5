"""Visitors: places of their own in one house."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import psutil
import pytest

from avatard.api.context import Visit
from avatard.api.door import Ticket
from avatard.api.errors import NotReady, OutOfMemory, Refused, StageFailed
from avatard.api.flow import AudioFrame
from avatard.api.news import (
    Event,
    Problem,
    Replied,
    SettingChanged,
    StateChanged,
    Transcribed,
    TurnFinished,
    TurnReport,
)
from avatard.cli.conversation import write_wav
from avatard.plugins.file.config import MicrophoneConfig as FileConfig
from avatard.plugins.file.microphone import FileMicrophone
from avatard.plugins.file.wav import read_wav
from avatard.plugins.scripted.code import written
from avatard.plugins.scripted.config import DisplayConfig, MicrophoneConfig
from avatard.plugins.scripted.display import ScriptedDisplay
from avatard.plugins.scripted.microphone import ScriptedMicrophone
from avatard.runtime.config import Configuration, from_mapping
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.house import House, furnished
from avatard.talk import listening
from avatard.talk.place import CLOSED

Scripted = Callable[..., Configuration]

QUESTION = ({"wake": "okay_nabu"}, {"silence": 0.3}, {"say": "hello"}, {"silence": 1.0})


def microphone(*script: dict[str, Any], pace: Any = "real") -> ScriptedMicrophone:
    return ScriptedMicrophone(MicrophoneConfig.model_validate({"script": script, "pace": pace}))


def display(pace: Any = "real") -> ScriptedDisplay:
    return ScriptedDisplay(DisplayConfig(pace=pace))


class Mixed:
    """A browser's microphone: it gives what is put in, and may pause."""

    live = True

    def __init__(self) -> None:
        self.frames_in: asyncio.Queue[Any] = asyncio.Queue()
        self.at = 0.0
        self.open = 0

    async def frames(self) -> AsyncIterator[AudioFrame]:
        self.open += 1
        try:
            while True:
                item = await self.frames_in.get()
                if isinstance(item, Exception):
                    raise item
                yield AudioFrame(item, 16_000, self.at, asyncio.get_running_loop().time())
                self.at += 512 / 16_000
        finally:
            self.open -= 1

    def say(self, text: str, silence: float = 1.0) -> None:
        for _ in range(10):
            self.frames_in.put_nowait(written("speech", text))
        self.hush(silence)

    def wake(self) -> None:
        self.frames_in.put_nowait(written("wake", "okay_nabu"))

    def hush(self, seconds: float) -> None:
        for _ in range(int(seconds * 16_000 / 512)):
            self.frames_in.put_nowait(np.zeros(512, np.int16))


@asynccontextmanager
async def living(configuration: Configuration) -> AsyncIterator[tuple[Foundation, House, list[Event]]]:
    """A house, and all the room's news."""
    events: list[Event] = []
    async with open_foundation(configuration) as foundation:
        with foundation.feed.subscribe(1000) as news:
            async with furnished(configuration, foundation) as house:
                reading = asyncio.create_task(collect(news, events))
                yield foundation, house, events
                reading.cancel()


async def collect(news: Any, events: list[Event]) -> None:
    async for event in news:
        events.append(event)


async def until(want: Callable[[], Any], seconds: float = 10) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := want()):
            await asyncio.sleep(0.005)
    return found


async def done(ticket: Ticket) -> TurnReport:
    async with asyncio.timeout(20):
        return await ticket.finished


def about_places(events: list[Event]) -> list[Event]:
    found = [e for e in events if isinstance(e, StateChanged | Transcribed | SettingChanged | Problem)]
    return [e for e in found if e != Problem("microphone", "", over=True)]  # the room's is there


def remains(foundation: Foundation) -> list[str]:
    """What is left of visitors."""
    tasks = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("web ")]
    return tasks + [name for name in foundation.life._beats if name.startswith("web ")]


async def test_a_visitors_question_is_answered_where_it_was_asked(scripted: Scripted) -> None:
    async with living(scripted(sounds={"wake": True})) as (foundation, house, room):
        screen = display()
        async with foundation.visit("web", microphone(*QUESTION), screen, "anna") as visit:
            with visit.news.subscribe(1000) as news:
                report = cast("TurnFinished", await until(lambda: next(
                    (e for e in room if isinstance(e, TurnFinished)), None))).report  # fmt: skip
                own = news.waiting()
            assert (house.place.state, house.place.displays.shown) == ("idle", 0.0)
    assert (report.heard, report.reply, report.source) == ("hello", "You said: hello.", "web")
    assert about_places(room) == [], about_places(room)
    states = [e.state for e in own if isinstance(e, StateChanged)]
    assert states == ["listening", "processing", "responding", "idle"]
    assert Transcribed("hello") in own and TurnFinished(report) in own
    assert screen.chimes == 1 and len(screen.played) == report.frames["count"] > 20
    assert all(frame.pixels is not None for frame in screen.played)
    assert [e.heard for e in foundation.sessions.view("anna", "en").history] == ["hello"]
    assert foundation.sessions.view("room", "en").history == ()


async def test_two_visitors_and_the_room_at_once(scripted: Scripted) -> None:
    asked = {"platform": "scripted", "script": [{"wake": "x"}, {"silence": 0.2}, {"say": "room"}, {"silence": 2}]}
    configuration = scripted(microphone=asked, display={"platform": "scripted"})
    one, two = (({"wake": "x"}, {"silence": 0.2}, {"say": who}, {"silence": 1}) for who in ("one", "two"))
    async with living(configuration) as (foundation, house, room):
        first, second = display(), display()
        async with (
            foundation.visit("web", microphone(*one), first, "a"),
            foundation.visit("web", microphone(*two), second, "b") as other,
        ):
            await until(lambda: house.place.state == other.assistant.status().state == "responding")
            await until(lambda: sum(isinstance(e, TurnFinished) for e in room) == 3)
        reports = [e.report for e in room if isinstance(e, TurnFinished)]
    assert sorted((r.source, r.heard, r.reply, r.error) for r in reports) == [
        ("microphone", "room", "You said: room.", ""), ("web", "one", "You said: one.", ""),
        ("web", "two", "You said: two.", ""),
    ]  # fmt: skip
    assert [len(screen.played) for screen in (first, second)] == [23, 23]
    assert [e.state for e in room if isinstance(e, StateChanged)] == ["listening", "processing", "responding", "idle"]


async def test_what_a_visitor_sets_concerns_his_place_alone(scripted: Scripted) -> None:
    async with living(scripted()) as (foundation, house, room):
        screen, ears = display(), Mixed()
        async with foundation.visit("web", ears, screen, "anna") as visit:
            assert screen.volume == 100
            with visit.news.subscribe() as news:
                await visit.assistant.set_volume(30)
                await visit.assistant.mute(True)
                told = news.waiting()
            status, rooms = visit.assistant.status(), house.door.status()
            assert (status.volume, status.muted, status.session, screen.volume) == (30, True, "anna", 30)
            assert (rooms.volume, rooms.muted, rooms.session) == (100, False, "room")
            assert (status.engines, status.voices, status.faces) == (rooms.engines, rooms.voices, rooms.faces)
            assert told == [SettingChanged("volume", 30), SettingChanged("mute", True)]
            with pytest.raises(Refused, match="muted"):
                await visit.assistant.listen()
            ears.hush(0.1)  # what it gives next lets it see that it is to close
            await until(lambda: not ears.open)
            await visit.assistant.mute(False)
            await until(lambda: ears.open)
            for forbidden in (visit.assistant.reload, visit.assistant.restart):
                with pytest.raises(Refused, match="a visitor cannot"):
                    await forbidden()
        assert foundation.door.settings.volume == 100
        assert about_places(room) == [], about_places(room)


async def test_what_is_asked_and_said_there_is_the_visitors(scripted: Scripted) -> None:
    async with living(scripted()) as (foundation, _, _):
        async with foundation.visit("web", None, display("fast"), "anna") as visit:
            asked = await done(await visit.assistant.ask("hello", source="api", session="somebody"))
            said = await done(await visit.assistant.say("Good morning.", session="room"))
            with pytest.raises(Refused, match="no microphone"):
                await visit.assistant.listen()
        assert [(r.source, r.reply) for r in (asked, said)] == [("web", "You said: hello."), ("web", "Good morning.")]
        assert foundation.sessions.ids == ("anna",)
        with pytest.raises(NotReady, match="the visitor has left"):
            await visit.assistant.say("Nobody hears this.")
        with pytest.raises(NotReady, match="the visitor has left"):
            visit.assistant.status()


async def test_push_to_talk_needs_no_wake_word(scripted: Scripted) -> None:
    async with living(scripted()) as (foundation, _, room):
        ears = Mixed()
        async with foundation.visit("web", ears, display("fast"), "anna") as visit:
            ears.say("unheard")
            await asyncio.sleep(0.1)
            await visit.assistant.listen()
            ears.say("pushed")
            report = await until(lambda: next((e.report for e in room if isinstance(e, TurnFinished)), None))
    assert (report.heard, report.wake) == ("pushed", None)


async def test_a_microphone_that_pauses_keeps_nobody_waiting(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "GAP", 0.2)
    async with living(scripted()) as (foundation, _, room):
        ears = Mixed()
        async with foundation.visit("web", ears, display("fast"), "anna") as visit:
            pulse = foundation.life._beats["web 1: listening"]
            assert pulse.due == math.inf
            ears.wake()
            await until(lambda: visit.assistant.status().state == "listening")
            assert pulse.due == math.inf  # the watchdog does not wait for it
            await until(lambda: visit.assistant.status().state == "idle")
            assert not any(isinstance(e, TurnFinished) for e in room)
            ears.wake()
            ears.hush(0.2)
            ears.say("let go", silence=0)
            report = await until(lambda: next((e.report for e in room if isinstance(e, TurnFinished)), None))
            assert (report.heard, report.reply) == ("let go", "You said: let go.")


class Chatty:
    """A responder that commands through the house's door."""

    def __init__(self, house: House, do: Callable[[Any], Any]) -> None:
        self._door, self._do = house.door, do

    def grammar(self, language: str) -> None:
        return None

    async def reply(self, heard: Any, session: Any) -> Any:
        await self._do(self._door)
        return self._words()

    async def _words(self) -> Any:
        from avatard.api.flow import ReplyToken

        yield ReplyToken("Done.")


async def commanded(foundation: Foundation, house: House, visit: Visit, do: Callable[[Any], Any]) -> TurnReport:
    """Have a responder do this in the visitor's turn."""
    house.faculties.responders.insert(0, ("chatty", cast("Any", Chatty(house, do))))
    try:
        return await done(await visit.assistant.ask("do it"))
    finally:
        house.faculties.responders.pop(0)


async def test_what_a_responder_commands_in_a_visitors_turn_is_meant_for_his_place(scripted: Scripted) -> None:
    async with living(scripted()) as (foundation, house, _):
        screen = display("fast")
        async with foundation.visit("web", None, screen, "anna") as visit:
            async def quieter(door: Any) -> None:
                await door.set_volume(door.status().volume - 15)

            report = await commanded(foundation, house, visit, quieter)
            assert (report.error, report.interrupted, screen.volume) == ("", False, 85)
            assert (house.door.status().volume, visit.assistant.status().volume) == (100, 85)

            async def hush(door: Any) -> None:
                await door.stop()

            told = await (await house.door.say("a b c")).finished
            report = await commanded(foundation, house, visit, hush)
            assert (report.reply, report.interrupted, told.interrupted) == ("Done.", False, False)
        # Outside of his turn the same door is the room's again.
        await house.door.set_volume(40)
        assert house.place.volume == 40 and screen.volume == 85


async def test_a_timer_rings_where_it_was_asked_for(scripted: Scripted) -> None:
    async with living(scripted(sounds={"wake": False, "ring": False})) as (foundation, house, room):
        screen = display("fast")
        async with foundation.visit("web", None, screen, "anna") as visit:
            async def timer(door: Any) -> None:
                await door.set_timer(1, "egg")

            with visit.news.subscribe() as news:
                await commanded(foundation, house, visit, timer)
                assert [t.name for t in house.door.status().timers] == ["egg"]
                told: list[Event] = []
                await until(lambda: told.extend(news.waiting()) or _said("Your egg timer is done.", told))
            assert not _said("Your egg timer is done.", room) and house.door.status().turn is None
            await visit.assistant.stop()
            await visit.assistant.set_timer(1, "tea")
        # He has left: the room hears of it rather than nobody.
        await until(lambda: _said("Your tea timer is done.", room))
        await house.door.stop()


def _said(text: str, events: list[Event]) -> bool:
    return any(isinstance(e, Replied) and e.text == text for e in events)


@pytest.mark.parametrize("how", ["leaves", "is cancelled"])
@pytest.mark.parametrize("state", ["idle", "listening", "processing", "responding", "queued"])
async def test_nothing_of_a_visitor_is_left_behind(scripted: Scripted, state: str, how: str) -> None:
    slow = {"platform": "scripted", "token_ms": 60_000}
    chosen = {"conversation": slow} if state == "processing" else {}
    async with living(scripted(**chosen)) as (foundation, _, _):
        tickets: list[Ticket] = []
        ears, screen = Mixed(), display()
        here = asyncio.Event()

        async def visiting() -> None:
            async with foundation.visit("web", ears, screen, "anna") as visit:
                if state == "listening":
                    ears.wake()
                elif state == "processing":
                    tickets.append(await visit.assistant.ask("hello"))
                elif state in ("responding", "queued"):
                    tickets.append(await visit.assistant.say("a " * 50))
                if state == "queued":
                    tickets.append(await visit.assistant.say("b " * 50))
                wanted = "responding" if state == "queued" else state
                await until(lambda: visit.assistant.status().state == wanted and ears.open)
                here.set()
                if how == "is cancelled":
                    await asyncio.Event().wait()

        descriptors = psutil.Process().num_fds()
        task = asyncio.create_task(visiting())
        await here.wait()
        if how == "is cancelled":
            assert len(remains(foundation)) >= 3
            task.cancel()
        await asyncio.wait({task}, timeout=5)
        assert task.done() and task.cancelled() == (how == "is cancelled")
        assert (remains(foundation), ears.open) == ([], 0)
        await until(lambda: psutil.Process().num_fds() <= descriptors)  # the governor looks at files now and then
        for ticket in tickets:
            assert (await done(ticket)).interrupted
        shown = len(screen.played)
        await asyncio.sleep(0.1)
        assert len(screen.played) == shown
        async with foundation.visit("web", None, screen, "anna") as visit:
            assert visit.assistant.status().state == "idle"


async def test_visitors_go_at_any_moment_of_a_question(scripted: Scripted) -> None:
    async with living(scripted(sessions={"limit": 40})) as (foundation, house, room):
        async def stays(seconds: float) -> None:
            screen = display()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    async with foundation.visit("web", microphone(*QUESTION), screen, f"{seconds}"):
                        await asyncio.Event().wait()

        async def stays_to_the_end() -> None:
            async with foundation.visit("web", microphone(*QUESTION), display(), "patient"):
                await until(lambda: any(isinstance(e, TurnFinished) and not e.report.interrupted for e in room))

        async with asyncio.timeout(20):
            await asyncio.gather(stays_to_the_end(), *(stays(number * 0.07) for number in range(36)))
        assert remains(foundation) == []
        assert foundation.life.stuck() == () and about_places(room) == [], about_places(room)
        reports = [e.report for e in room if isinstance(e, TurnFinished)]
        ends = {(r.interrupted, r.error) for r in reports}
        assert ends == {(True, CLOSED), (False, "")}, ends
        assert all(r.reply == "You said: hello." for r in reports if not r.interrupted)
        assert (await done(await house.door.ask("hello"))).reply == "You said: hello."


async def test_the_house_closes_under_a_visitor(scripted: Scripted) -> None:
    configuration = scripted()
    async with open_foundation(configuration) as foundation:
        with pytest.raises(NotReady, match="still starting"):
            async with foundation.visit("web", None, display(), "early"):
                pass
        here, ended = asyncio.Event(), asyncio.Event()

        async def visiting() -> None:
            async with foundation.visit("web", Mixed(), display(), "anna") as visit:
                await visit.assistant.say("a " * 50)
                await until(lambda: visit.assistant.status().state == "responding")
                here.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()

        async with furnished(configuration, foundation):
            task = asyncio.create_task(visiting())
            await here.wait()
        with pytest.raises(NotReady, match="the configuration has changed"):
            await task
        assert ended.is_set() and task.cancelling() == 0 and remains(foundation) == []
        async with (
            furnished(configuration, foundation), foundation.visit("web", None, display("fast"), "anna") as visit,
        ):  # fmt: skip
            assert (await done(await visit.assistant.ask("hello"))).reply == "You said: hello."


async def test_who_does_not_let_a_visitor_go_does_not_hold_up_the_house(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("avatard.runtime.visits.LEAVE_LIMIT", 0.1)
    configuration = scripted()
    release, here = asyncio.Event(), asyncio.Event()
    async with open_foundation(configuration) as foundation:
        async def stubborn() -> str:
            async with foundation.visit("web", Mixed(), display(), "anna") as visit:
                await visit.assistant.say("a " * 50)
                here.set()
                while not release.is_set():
                    try:
                        await release.wait()
                    except asyncio.CancelledError:
                        continue
            return "left by himself"

        async with furnished(configuration, foundation):
            task = asyncio.create_task(stubborn())
            await here.wait()
        assert "not let go within 0 s: web 1" in caplog.text and remains(foundation) == []
        release.set()
        assert await task == "left by himself"


async def test_visitors_are_limited_and_refused_where_memory_is_short(scripted: Scripted) -> None:
    async with living(scripted(sessions={"limit": 2})) as (foundation, _, _):
        belongings = foundation.governor.belongings
        async with (
            foundation.visit("web", None, display(), "a"),
            foundation.visit("web", None, display("fast"), "b") as second,
        ):  # fmt: skip
            with pytest.raises(NotReady, match="2 visitors are here already"):
                async with foundation.visit("web", None, display(), "c"):
                    pass
            await done(await second.assistant.ask("hello"))
        belongings.refusing = True
        with pytest.raises(NotReady, match="memory is short"):  # though his history is here still
            async with foundation.visit("web", None, display(), "b"):
                pass
        belongings.refusing = False
        async with foundation.visit("web", None, display(), "b"):
            pass


async def test_under_pressure_whoever_does_not_speak_goes(scripted: Scripted) -> None:
    async with living(scripted()) as (foundation, _, _):
        async with foundation.visit("web", None, display(), "speaks") as speaker:
            ticket = await speaker.assistant.say("a b c d")
            with pytest.raises(NotReady, match="memory is short"):
                async with foundation.visit("web", None, display(), "silent"):
                    did = [what async for what in foundation.governor.belongings.do("end_sessions", 0)]
                    await asyncio.Event().wait()
            assert did == ["end_sessions: web 2"]
            report = await done(ticket)
            assert (report.interrupted, report.reply) == (False, "a b c d")


async def test_a_broken_microphone_ends_the_visit_alone(scripted: Scripted) -> None:
    async with living(scripted()) as (foundation, house, room):
        ears = Mixed()
        async with foundation.visit("web", Mixed(), display("fast"), "b") as other:
            with pytest.raises(NotReady, match="listening failed: a stranger's mistake"):
                async with foundation.visit("web", ears, display(), "a"):
                    ears.frames_in.put_nowait(ValueError("a stranger's mistake"))
                    await asyncio.Event().wait()
            assert (await done(await other.assistant.ask("hello"))).error == ""
            assert (await done(await house.door.ask("hello"))).error == ""
        states = [StateChanged("processing"), StateChanged("responding"), StateChanged("idle")]
        assert about_places(room) == states, about_places(room)


async def test_what_visitors_lose_is_counted(scripted: Scripted) -> None:
    async with living(scripted()) as (foundation, _, _):
        async with foundation.visit("web", None, display(), "a") as visit:
            with visit.news.subscribe(2) as news:
                for percent in range(5):
                    await visit.assistant.set_volume(percent)
                assert (news.dropped, foundation.visit.drops, foundation.feed.drops) == (3, 3, 0)
        assert foundation.visit.drops == 3


async def test_a_microphone_that_is_away_is_the_visitors_problem(scripted: Scripted) -> None:
    async with living(scripted()) as (foundation, house, room):
        ears = Mixed()
        async with foundation.visit("web", ears, display(), "a") as visit:
            with visit.news.subscribe() as news:
                ears.frames_in.put_nowait(NotReady("unplugged"))
                told: list[Event] = []
                await until(lambda: told.extend(news.waiting()) or told)
        assert told == [Problem("microphone", "unplugged")]
        assert about_places(room) == [], about_places(room)
        assert house.door.status().problems == {}


async def test_what_the_body_raises_passes_as_it_is(scripted: Scripted) -> None:
    async with living(scripted()) as (foundation, _, _):
        for mistake in (TimeoutError("mine"), ConnectionResetError("he went"), ExceptionGroup("", [OSError()])):
            with pytest.raises(type(mistake)) as caught:
                async with foundation.visit("web", Mixed(), display(), "a"):
                    raise mistake
            assert caught.value is mistake
        assert remains(foundation) == []


class Failing:
    """An engine that fails a moment after it was asked: both who ask it at once meet with it."""

    async def speak(self, sentence: Any) -> Any:
        await asyncio.sleep(0.05)
        raise StageFailed("tts", "failing", "killed")
        yield

    @asynccontextmanager
    async def open(self, language: str) -> Any:
        await asyncio.sleep(0.05)
        raise OutOfMemory("no room")
        yield


@pytest.mark.parametrize("stage", ["tts", "stt"])
async def test_two_who_meet_with_one_failure_are_both_answered(scripted: Scripted, stage: str) -> None:
    two = ["scripted", {"platform": "scripted"}]
    async with living(scripted(**{stage: two})) as (foundation, house, room):
        ranking: Any = getattr(house.faculties.hearing if stage == "stt" else house.faculties, stage)
        ranking._opened[0] = Failing()
        async with (
            foundation.visit("web", microphone(*QUESTION), display("fast"), "a"),
            foundation.visit("web", microphone(*QUESTION), display("fast"), "b"),
        ):
            await until(lambda: sum(isinstance(e, TurnFinished) for e in room) == 2)
        reports = [e.report for e in room if isinstance(e, TurnFinished)]
    assert [(r.reply, r.error) for r in reports] == [("You said: hello.", "")] * 2, reports
    assert ranking.position == 1


REAL = {
    "name": "box", "microphone": {"platform": "scripted"}, "conversation": "intents", "tts": "espeak",
    "stt": "pocketsphinx", "wake_word": {"platform": "microwakeword", "phrases": ["alexa"]}, "vad": "silero",
    "encoder": "scripted", "display": {"platform": "scripted"}, "avatar": {"render": ["drawn"]},
    "sounds": {"wake": False},
}  # fmt: skip


async def test_a_recorded_request_of_a_visitor_with_the_real_parts(tmp_path: Path, recordings: Path) -> None:
    path, hush = tmp_path / "asked.wav", np.zeros(8000, np.int16)
    command = read_wav(recordings / "turn_on_the_office_lights_03.wav")
    write_wav(path, np.concatenate([read_wav(recordings / "alexa.wav"), hush, command, hush]))
    async with living(from_mapping(REAL)) as (foundation, house, room):
        ears = FileMicrophone([path], FileConfig(path=path, pace="fast"), cast("Any", SimpleNamespace(news=house.feed)))
        screen = display("fast")
        async with foundation.visit("web", ears, screen, "anna"):
            report = cast("TurnReport", await until(lambda: next(
                (e.report for e in room if isinstance(e, TurnFinished)), None), 60))  # fmt: skip
        assert house.place.state == "idle"
    assert report.heard == "turn on the office lights" and "office lights" in report.reply
    assert report.wake is not None and report.wake["phrase"] == "alexa"
    assert about_places(room) == [], about_places(room)
    sound = np.concatenate([frame.audio for frame in screen.played])
    assert len(screen.played) == report.frames["count"] > 50 and np.abs(sound).max() > 3000


async def test_who_asks_while_another_is_heard_is_understood_too(tmp_path: Path, recordings: Path) -> None:
    path, hush = tmp_path / "asked.wav", np.zeros(8000, np.int16)
    command = read_wav(recordings / "turn_on_the_office_lights_03.wav")
    write_wav(path, np.concatenate([read_wav(recordings / "alexa.wav"), hush, command, hush]))
    both = REAL | {"microphone": {"platform": "file", "path": str(path)}}
    async with living(from_mapping(both)) as (foundation, house, room):
        ears = FileMicrophone([path], FileConfig(path=path), cast("Any", SimpleNamespace(news=house.feed)))
        async with foundation.visit("web", ears, display(), "anna") as visit:
            await until(lambda: house.place.state == visit.assistant.status().state == "listening")
            await until(lambda: sum(isinstance(e, TurnFinished) for e in room) == 2, 60)
    reports = [e.report for e in room if isinstance(e, TurnFinished)]
    assert sorted(r.source for r in reports) == ["microphone", "web"]
    assert [r.heard for r in reports] == ["turn on the office lights"] * 2, reports


@pytest.mark.parametrize("wait", [0.0, 0.03, *(pytest.param(wait, marks=pytest.mark.long) for wait in (0.01, 0.1))])
async def test_who_leaves_while_his_ears_open_leaves_nothing_open(wait: float) -> None:
    phrases = {"platform": "microwakeword", "phrases": ["alexa", "hey_jarvis"]}

    def models() -> list[str]:
        return [f.path for f in psutil.Process().open_files() if f.path.endswith(".tflite")]

    async with living(from_mapping(REAL | {"wake_word": phrases, "microphone": "scripted"})) as (foundation, _, _):
        before = await until(lambda: len(models()) == 4 and 4)  # the room's ears, and those that rehearse what it says
        for _ in range(4):
            async with foundation.visit("web", Mixed(), display(), "anna"):
                await asyncio.sleep(wait)
        assert len(models()) == before, (before, models())


def loudness(screen: ScriptedDisplay) -> np.ndarray:
    """Of each frame: espeak-ng does not say it twice in exactly the same way."""
    return np.array([np.abs(frame.audio.astype(np.int32)).mean() for frame in screen.played])


async def test_two_who_are_answered_at_once_get_what_each_would_alone() -> None:
    texts = ("The kettle has boiled, and tea is ready. Come to the kitchen.",
             "Rain is coming from the west this afternoon. Take an umbrella along.")  # fmt: skip
    async with living(from_mapping(REAL | {"memory": {"cache_mb": 0}})) as (foundation, _, _):
        async def said(text: str) -> ScriptedDisplay:
            screen = display("fast")
            async with foundation.visit("web", None, screen, text[:9]) as visit:
                report = await done(await visit.assistant.say(text))
            assert (report.reply, report.error) == (text, "")
            return screen

        alone = [await said(text) for text in texts]
        together = await asyncio.gather(*map(said, texts))
    for apart, beside, text in zip(alone, together, texts, strict=True):
        assert abs(len(apart.played) - len(beside.played)) <= 1, text
        assert {f.sentence.text for f in beside.played if f.sentence} == {f"{part}." for part in text[:-1].split(". ")}
        count = min(len(apart.played), len(beside.played))
        assert np.corrcoef(loudness(apart)[:count], loudness(beside)[:count])[0, 1] > 0.95, text
        assert all(frame.pixels is not None for frame in beside.played)
    count = min(len(screen.played) for screen in together)
    assert np.corrcoef(loudness(together[0])[:count], loudness(together[1])[:count])[0, 1] < 0.7
