"""The whole daemon on scripted engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
from counting import threads_begun

from avatard.api.errors import NotReady, OutOfMemory, Refused
from avatard.api.flow import Exchange, ReplyToken
from avatard.api.news import EngineChanged, SentenceSpoken, StateChanged, TurnFinished, TurnReport
from avatard.runtime.config import Configuration
from avatard.runtime.house import House, open_house

Scripted = Callable[..., Configuration]


async def finished(house: House, count: int = 1) -> list[TurnReport]:
    """The next reports."""
    reports: list[TurnReport] = []
    with house.feed.subscribe(256) as news:
        async with asyncio.timeout(20):
            async for event in news:
                if isinstance(event, TurnFinished):
                    reports.append(event.report)
                    if len(reports) == count:
                        break
    return reports


def asks(*questions: str) -> dict[str, Any]:
    script: list[dict[str, Any]] = []
    for question in questions:
        script += [{"wake": "okay_nabu"}, {"silence": 0.3}, {"say": question}, {"silence": 1.0}]
    return {"platform": "scripted", "pace": "fast", "script": script}


async def test_a_spoken_question_is_answered(scripted: Scripted) -> None:
    async with open_house(scripted(microphone=asks("hello"))) as house:
        report = (await finished(house))[0]
    assert (report.heard, report.reply) == ("hello", "You said: hello.")
    assert report.wake == {"phrase": "okay_nabu", "score": 1.0}
    assert 0.3 < report.at["speech_end"] - report.at["wake"] < 0.8
    assert set(report.ms) == {"speech_end_to_transcript", "speech_end_to_first_token", "speech_end_to_first_audio",
                              "speech_end_to_first_frame", "total"}  # fmt: skip
    assert report.frames["count"] == 3 * 0.3 * 25 + 1 or report.frames["count"] == 23


async def test_what_is_heard_is_answered_in_the_language_of_the_house(scripted: Scripted) -> None:
    async with open_house(scripted(microphone=asks("hello"), language="de")) as house:
        await finished(house)
        screen: Any = house.place.displays._own[0][1]
        assert {frame.sentence.language for frame in screen.played} == {"de"}


async def test_several_questions_in_order(scripted: Scripted) -> None:
    async with open_house(scripted(microphone=asks("one", "two", "three"))) as house:
        reports = await finished(house, 3)
    assert [r.heard for r in reports] == ["one", "two", "three"]


async def test_sentences_are_spoken_in_order_and_told(scripted: Scripted) -> None:
    async with open_house(scripted()) as house:
        with house.feed.subscribe(256) as news:
            ticket = await house.door.say("First one. Second one. Third one.")
            report = await ticket.finished
            spoken = [e.sentence.text for e in news.waiting() if isinstance(e, SentenceSpoken)]
    assert spoken == ["First one.", "Second one.", "Third one."]
    assert report.reply == "First one. Second one. Third one."


async def test_announcements_wait_and_the_more_important_goes_first(scripted: Scripted) -> None:
    order: list[str] = []
    tts = {"platform": "scripted", "seconds_per_word": 0.05}
    async with open_house(scripted(display={"platform": "scripted"}, tts=tts)) as house:
        tickets = [await house.door.say(t, priority=p) for t, p in (("a", 0), ("b", 0), ("c", 5))]
        for ticket in tickets:
            asyncio.ensure_future(ticket.finished).add_done_callback(lambda f: order.append(f.result().reply))
        await asyncio.gather(*(t.finished for t in tickets))
        await asyncio.sleep(0)
    assert order == ["a", "c", "b"]


async def test_stop_ends_the_turn_and_drops_what_waits(scripted: Scripted) -> None:
    async with open_house(scripted(display={"platform": "scripted"})) as house:
        first, second = await house.door.say("a " * 50), await house.door.say("never heard")
        with house.feed.subscribe() as news:
            async for event in news:
                if event == StateChanged("responding"):
                    break
        await house.door.stop()
        reports = [await first.finished, await second.finished]
        assert house.place.state == "idle" and house.place.current is None
    assert [r.interrupted for r in reports] == [True, True]
    assert len(reports[0].reply) < 40 and reports[1].reply == ""


async def test_interrupt_cuts_in(scripted: Scripted) -> None:
    async with open_house(scripted(display={"platform": "scripted"})) as house:
        first = await house.door.say("a " * 50)
        second = await house.door.say("now", interrupt=True)
        assert (await first.finished).interrupted
        assert (await second.finished).reply == "now"


async def test_the_wake_word_ends_the_answer(scripted: Scripted) -> None:
    script = [{"wake": "x"}, {"silence": 0.2}, {"say": "long"}, {"silence": 1.5}, {"wake": "x"}, {"silence": 0.2},
              {"say": "short"}, {"silence": 1.5}]  # fmt: skip
    configuration = scripted(
        microphone={"platform": "scripted", "script": script}, display={"platform": "scripted"},
        conversation={"platform": "scripted", "replies": {"long": "a " * 90, "short": "yes"}},
    )  # fmt: skip
    async with open_house(configuration) as house:
        reports = await finished(house, 2)
    assert [(r.heard, r.interrupted) for r in reports] == [("long", True), ("short", False)]


async def test_history_keeps_what_was_said(scripted: Scripted) -> None:
    async with open_house(scripted()) as house:
        await (await house.door.ask("hello")).finished
        view = house.place.sessions.view("room", "en")
    assert [(e.heard, e.said) for e in view.history] == [("hello", "You said: hello.")]


@pytest.mark.parametrize("text", ["", "   ", "?!…", "\x00\n"])
async def test_text_without_words_is_refused(scripted: Scripted, text: str) -> None:
    async with open_house(scripted()) as house:
        with pytest.raises(Refused, match="no words"):
            await house.door.say(text)


async def test_bad_commands_change_nothing(scripted: Scripted) -> None:
    async with open_house(scripted(sessions={"max_queue": 2}, display={"platform": "scripted"})) as house:
        with pytest.raises(Refused, match="100000 characters"):
            await house.door.say("a" * 100_000)
        with pytest.raises(Refused, match="volume 101"):
            await house.door.set_volume(101)
        with pytest.raises(Refused, match="timer"):
            await house.door.set_timer(-1)
        for _ in range(3):
            await house.door.say("a " * 30)
        with pytest.raises(Refused, match="wait already"):
            await house.door.say("too many")
        await house.door.stop()
        assert (await (await house.door.say("\ud800 fine")).finished).error == ""


@pytest.mark.parametrize(
    ("stage", "where"), [("conversation", "conversation.scripted"), ("tts", "turn"), ("stt", "turn")]
)
async def test_a_failing_stage_loses_the_turn_and_no_more(scripted: Scripted, stage: str, where: str) -> None:
    broken = {stage: {"platform": "scripted", "fail": True}}
    async with open_house(scripted(microphone=asks("hello"), **broken)) as house:
        report = (await finished(house))[0]
        assert f"{stage} (scripted) failed" in report.error
        await asyncio.sleep(0.05)
        assert house.door.status().state == "idle"
        assert "as its configuration says" in house.door.status().problems[where]


class Wise:
    """Answers after a while."""

    def __init__(self, wait: float, words: str = "Forty two.", fails: bool = False) -> None:
        self.wait, self.words, self.fails = wait, words, fails
        self.histories: list[tuple[Any, ...]] = []

    def grammar(self, language: str) -> None:
        return None

    async def reply(self, heard: Any, session: Any) -> Any:
        self.histories.append(session.history)
        if self.fails:
            raise NotReady("the server is away")
        return self._words()

    async def _words(self) -> Any:
        await asyncio.sleep(self.wait)
        yield ReplyToken(self.words)


async def test_a_reply_that_keeps_one_waiting_is_announced_and_that_is_not_remembered(scripted: Scripted) -> None:
    async with open_house(scripted()) as house:
        house.place._means.responders[:] = [("wise", wise := Wise(2.0))]
        with house.feed.subscribe(256) as news:
            report = await (await house.door.ask("the question")).finished
            spoken = [e.sentence.text for e in news.waiting() if isinstance(e, SentenceSpoken)]
            assert spoken == ["Let me think.", "Forty two."] and report.reply == "Forty two."
            wise.wait = 0.0
            await (await house.door.ask("again")).finished
            spoken = [e.sentence.text for e in news.waiting() if isinstance(e, SentenceSpoken)]
        assert spoken == ["Forty two."]
        assert wise.histories[1] == (Exchange("the question", "Forty two."),)


async def test_one_responder_that_fails_is_left_out_of_the_chain(scripted: Scripted) -> None:
    async with open_house(scripted()) as house:
        house.place._means.responders[:] = [("away", away := Wise(0, fails=True)), ("wise", Wise(0))]
        report = await (await house.door.ask("the question")).finished
        assert (report.reply, report.error) == ("Forty two.", "")
        assert house.door.status().problems["conversation.away"] == "the server is away"
        away.fails = False
        await (await house.door.ask("the question")).finished
        await asyncio.sleep(0.05)
        assert not house.door.status().problems


async def test_a_ranking_steps_down_within_the_sentence(scripted: Scripted) -> None:
    ranking = [{"platform": "scripted", "fail": True}, {"platform": "scripted"}]
    async with open_house(scripted(tts=ranking)) as house:
        report = await (await house.door.say("Still said.")).finished
    assert (report.reply, report.error) == ("Still said.", "")


class Crowded:
    """An engine that finds no room when it is used; it takes a little first."""

    async def speak(self, sentence: Any) -> Any:
        raise OutOfMemory("no room")
        yield

    async def render(self, speech: Any) -> Any:
        await anext(speech)
        raise OutOfMemory("no room")
        yield

    @asynccontextmanager
    async def open(self, language: str) -> Any:
        raise OutOfMemory("no room")
        yield


@pytest.mark.parametrize("stage", ["tts", "render", "stt"])
async def test_an_engine_without_room_hands_over_and_nothing_is_lost(scripted: Scripted, stage: str) -> None:
    two = ["scripted", {"platform": "scripted"}]
    ranks = {"avatar": {"render": two}} if stage == "render" else {stage: two}
    async with open_house(scripted(microphone=asks("hello"), **ranks)) as house:
        voice, ears = house.place._means.voice, house.place._means.ears
        assert ears is not None
        ranking: Any = {"tts": voice.tts, "render": voice.render, "stt": ears._stt}[stage]
        ranking._opened[0] = Crowded()
        with house.feed.subscribe(256) as news:
            report = (await finished(house))[0]
            changed = [e for e in news.waiting() if isinstance(e, EngineChanged)]
    assert (report.heard, report.reply, report.error) == ("hello", "You said: hello.", "")
    assert report.frames["count"] == 23
    assert changed == [EngineChanged(stage, "scripted", "no room")] and ranking.above == "scripted"


async def test_a_reply_that_never_ends_is_cut(scripted: Scripted) -> None:
    configuration = scripted(
        conversation={"platform": "scripted", "endless": True}, sessions={"max_reply_seconds": 5}
    )
    async with open_house(configuration) as house:
        report = await asyncio.wait_for((await house.door.ask("go")).finished, 20)
    assert 5 * 25 <= report.frames["count"] <= 12 * 25
    assert report.error == ""


async def test_mute_closes_the_microphone_and_opens_it_again(scripted: Scripted) -> None:
    async with open_house(scripted(display={"platform": "scripted"})) as house:
        await house.door.mute(True)
        assert house.door.status().muted
        with pytest.raises(Refused, match="muted"):
            await house.door.listen()
        await house.door.mute(False)
        await house.door.listen()
        with house.feed.subscribe() as news:
            async for event in news:
                if event == StateChanged("listening"):
                    break
        assert house.place.state == "listening"


async def test_listen_waits_for_speech_however_long_the_microphone_was_open(scripted: Scripted) -> None:
    script = [{"silence": 1.8}, {"say": "hello"}, {"silence": 1}]
    configuration = scripted(microphone={"platform": "scripted", "script": script}, listening={"no_speech_seconds": 1})
    async with open_house(configuration) as house:
        await asyncio.sleep(1.3)
        await house.door.listen()
        assert (await finished(house))[0].heard == "hello"


async def test_a_timer_rings_until_it_is_stopped(scripted: Scripted) -> None:
    async with open_house(scripted(display={"platform": "scripted"})) as house:
        view = await house.door.set_timer(1, "pizza")
        assert view.name == "pizza" and house.door.status().timers[0].id == view.id
        with house.feed.subscribe() as news:
            async with asyncio.timeout(10):
                async for event in news:
                    if isinstance(event, StateChanged) and event.state == "responding":
                        break
        assert house.place.current is not None and house.place.current.text == "Your pizza timer is done."
        await house.door.stop()
        assert house.place.current is None and house.door.status().timers == ()


async def test_nothing_is_left_behind(scripted: Scripted) -> None:
    me = psutil.Process()
    async with open_house(scripted(display={"platform": "scripted"}, tts="espeak")) as house:
        await (await house.door.say("Warm.")).finished
        tasks, threads, children, files = len(asyncio.all_tasks()), threads_begun(), me.children(), me.num_fds()
        for _ in range(5):
            ticket = await house.door.say("One two three four five six. " * 5)
            await asyncio.sleep(0.15)
            await house.door.stop()
            assert (await ticket.finished).interrupted
        assert (len(asyncio.all_tasks()), threads_begun(), me.children(), me.num_fds()) == (
            tasks, threads, children, files)  # fmt: skip
    assert me.children() == []


async def test_after_a_question_it_listens_again_without_a_wake_word(scripted: Scripted) -> None:
    script: list[dict[str, Any]] = [
        {"wake": "okay_nabu"}, {"silence": 0.3}, {"say": "a riddle"}, {"silence": 1.0}, {"silence": 0.3},
        {"say": "the moon"}, {"silence": 1.0}, {"say": "and more"}, {"silence": 2.0},
    ]  # fmt: skip
    conversation = {"platform": "scripted", "replies": {"a riddle": "What is it?", "the moon": "Yes.", "*": "Eh."}}
    microphone = {"platform": "scripted", "pace": "fast", "script": script}
    async with open_house(scripted(microphone=microphone, conversation=conversation)) as house:
        with house.feed.subscribe(256) as news:
            reports = await finished(house, 2)
            await asyncio.sleep(0.3)
            heard = [e.report.heard for e in news.waiting() if isinstance(e, TurnFinished)]
    assert [(r.heard, r.reply) for r in reports] == [("a riddle", "What is it?"), ("the moon", "Yes.")]
    assert heard == ["a riddle", "the moon"], "after an answer that asks nothing a wake word is needed"
    assert reports[0].wake and reports[1].wake is None


async def test_where_nobody_goes_on_it_rests_again(scripted: Scripted) -> None:
    script: list[dict[str, Any]] = [{"wake": "okay_nabu"}, {"silence": 0.3}, {"say": "a riddle"}, {"silence": 8.0}]
    conversation = {"platform": "scripted", "replies": {"*": "What is it?"}}
    microphone = {"platform": "scripted", "pace": "fast", "script": script}
    quick = {"no_speech_seconds": 1}
    async with open_house(scripted(microphone=microphone, conversation=conversation, listening=quick)) as house:
        with house.feed.subscribe(256) as news:
            await finished(house, 1)
            await asyncio.sleep(0.5)
            states = [e.state for e in news.waiting() if isinstance(e, StateChanged)]
            assert house.place.state == "idle"
    assert states.count("listening") == 2 and states[-1] == "idle"


async def test_it_can_be_told_never_to(scripted: Scripted) -> None:
    script: list[dict[str, Any]] = [{"wake": "okay_nabu"}, {"silence": 0.3}, {"say": "a riddle"}, {"silence": 1.0},
                                    {"say": "the moon"}, {"silence": 1.0}]  # fmt: skip
    conversation = {"platform": "scripted", "replies": {"*": "What is it?"}}
    microphone = {"platform": "scripted", "pace": "fast", "script": script}
    never = {"follow_up": "never"}
    async with open_house(scripted(microphone=microphone, conversation=conversation, listening=never)) as house:
        with house.feed.subscribe(256) as news:
            await finished(house, 1)
            await asyncio.sleep(0.5)
            assert len([e for e in news.waiting() if isinstance(e, TurnFinished)]) == 1


async def test_what_was_unsaid_at_an_interrupt_is_remembered(scripted: Scripted) -> None:
    display, tts = {"platform": "scripted"}, {"platform": "scripted", "seconds_per_word": 0.2}
    conversation = {"platform": "scripted", "replies": {"*": "First comes this. Then comes that. Last the rest."}}
    async with open_house(scripted(display=display, tts=tts, conversation=conversation)) as house:
        with house.feed.subscribe(256) as news:
            await house.door.ask("tell me")
            async for event in news:
                if isinstance(event, SentenceSpoken):
                    break
        await asyncio.sleep(0.3)
        await house.door.stop()
        exchange = house.place.sessions.view("room", "en").history[-1]
    assert exchange.said.startswith("First comes this.") and exchange.said != "First comes this. Then comes that."
    assert exchange.unsaid == "Then comes that. Last the rest.", exchange
