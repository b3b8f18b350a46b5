"""A house on scripted engines, whose parts fail when they are told to, and an eye on what must never be.

Time is simulated: hours pass at once, and the same deeds always end in the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from callers import Caller

from avatard.api.door import Ticket
from avatard.api.errors import NotReady, OutOfMemory, Refused, StageFailed
from avatard.api.flow import FPS, ReplyToken
from avatard.api.news import Problem, StateChanged, TimersChanged, TurnFinished, TurnReport
from avatard.api.pace import Pace
from avatard.plugins.scripted import conversation, display, microphone, render, stt, tts, vad, wake_word
from avatard.plugins.scripted.code import FRAME, written
from avatard.runtime import health
from avatard.runtime.config import Configuration
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.governor import Governor
from avatard.runtime.house import House, furnished
from avatard.talk.ladder import Ladder
from avatard.talk.ownvoice import OwnVoice
from avatard.talk.sessions import Sessions

WORD = 0.2
"""Seconds that a word takes: five frames."""
STALL = 7.0
"""Seconds for which a part that stalls stands still."""
GRACE = 0.05
"""Seconds within which a microphone is closed: one frame, and a little."""
WORDS = "one two three four five six seven eight".split()
NEXT = {
    "idle": {"listening", "processing", "responding", "error"},
    "listening": {"processing", "idle", "error"},
    "processing": {"responding", "idle", "error"},
    "responding": {"processing", "idle", "error"},
    "error": {"responding", "idle"},
}
"""State → what may follow."""


def whole(question: str) -> str:
    """The whole answer to a question: from one sentence to eight."""
    number = int(question.split()[1])
    return text("Answer", number, 1 + number % 8) + " Shall I go on?" * (number % 5 == 0)


def text(what: str, number: int, sentences: int) -> str:
    """Short sentences and long ones."""
    more = " and it goes on for a while longer than anybody would like it to do in the evening"
    return " ".join(f"{what} {number} part {WORDS[n]} is this{more * ((number + n) % 2)}." for n in range(sentences))


@dataclass
class Shown:
    """One stream that the display was given: which turn's, and how many frames of each sentence it has shown."""

    turn: int
    kind: str
    apology: bool = False
    sentences: dict[int, tuple[str, bool]] = field(default_factory=dict)
    frames: Counter[int] = field(default_factory=Counter)

    def note(self, frame: Any) -> None:
        """It has shown this."""
        if frame.sentence is not None:
            self.sentences.setdefault(frame.sentence.index, (frame.sentence.text, frame.sentence.aside))
            self.frames[frame.sentence.index] += 1

    def words(self) -> list[str]:
        """What of it was heard."""
        heard: list[str] = []
        for index, (text, aside) in self.sentences.items():
            if not aside:
                heard += text.split()[: int(self.frames[index] / FPS / WORD + 1e-6)]
        return heard


class World:
    """What happens to the house, and what it did."""

    def __init__(self) -> None:
        self.faults: dict[str, deque[str]] = defaultdict(deque)
        self.sound: deque[np.ndarray] = deque()
        self.microphones = self.playing = 0
        self.shown: list[Shown] = []
        self.rung: set[str] = set()
        """What was heard to ring."""
        self.wrong: list[str] = []
        """What must never be."""
        self.tickets: dict[str, Ticket] = {}
        self.callers: list[Caller] = []
        """Who is visiting, or was."""
        self.reports: list[TurnReport] = []
        self.cancelled: set[int] = set()
        self.timers: dict[int, str] = {}
        self.called = -1e9
        """When somebody last had it listen."""
        self.stilled = -1e9
        """When somebody last did what ends a ring."""
        self.waited: set[str] = set()
        """What waited when somebody had it be silent."""
        self.house: House | None = None
        self.foundation: Foundation | None = None

    @property
    def now(self) -> float:
        return time.monotonic()

    async def strike(self, stage: str) -> None:
        """Have the stage do what it was told to do next."""
        if not self.faults[stage]:
            return
        match self.faults[stage].popleft():
            case "fail":
                raise StageFailed(stage, "scripted", "told to")
            case "absent":
                raise NotReady(f"{stage}: told to be away")
            case "memory":
                raise OutOfMemory(f"{stage}: told to find no room")
            case "bug":
                raise RuntimeError(f"{stage}: told to be wrong")
            case _:
                await asyncio.sleep(STALL)

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(f"{self.now - 1000:.2f} s: {what}")

    def show(self, current: Any, apology: bool) -> Shown:
        """A display is about to show something of this turn."""
        self.shown.append(Shown(current.turn if current else 0, current.kind if current else "", apology))
        return self.shown[-1]

    @staticmethod
    def may_follow(before: str, after: str, deaf: bool) -> bool:
        """Whether a place may go from one state to the other."""
        return after in NEXT[before] | (NEXT["idle"] if before == "error" and deaf else set())

    def current(self) -> Any:
        return self.house.place.current if self.house is not None else None


def parts(world: World) -> Iterator[tuple[Any, str, type]]:
    """The scripted parts with a will of this world."""

    class Microphone(microphone.ScriptedMicrophone):
        async def frames(self) -> Any:
            world.microphones += 1
            world.expect(world.microphones == 1, "two microphones are open")
            try:
                pace = Pace(True)
                while True:
                    await world.strike("microphone")
                    yield await self._frame(world.sound.popleft() if world.sound else np.zeros(FRAME, np.int16), pace)
            finally:
                world.microphones -= 1

    class Wake(wake_word.ScriptedWake):
        async def feed(self, frame: Any) -> Any:
            found = await super().feed(frame)
            if found is not None:
                await world.strike("wake_word")
                world.stilled = world.called = world.now
            return found

    class Vad(vad.ScriptedVad):
        async def feed(self, frame: Any) -> float:
            await world.strike("vad")
            return await super().feed(frame)

    class Recognizer(stt.ScriptedRecognizer):
        @asynccontextmanager
        async def open(self, language: str) -> AsyncIterator[Any]:
            await world.strike("stt")
            async with super().open(language) as stream:
                finish = stream.finish

                async def late() -> Any:
                    await world.strike("stt")
                    return await finish()

                stream.finish = late
                yield stream

    class Responder(conversation.ScriptedResponder):
        async def reply(self, heard: Any, session: Any) -> Any:
            await world.strike("conversation")
            return self._say(heard.text)

        async def _say(self, heard: str) -> Any:
            for sentence in re.findall(r"[^.?]+[.?]", whole(heard)):
                yield ReplyToken(sentence.strip() + " ")
                await world.strike("conversation")

    class Synthesizer(tts.ScriptedSynthesizer):
        async def speak(self, sentence: Any) -> Any:
            await world.strike("tts")
            async for piece in super().speak(sentence):
                yield piece

    class Renderer(render.ScriptedRenderer):
        async def render(self, speech: Any) -> Any:
            await world.strike("render")
            async for frame in super().render(speech):
                yield frame
                await world.strike("render")

    class Display(display.ScriptedDisplay):
        async def play(self, stream: Any) -> None:
            self._now = world.show(world.current(), world.house is not None and world.house.place.state == "error")
            world.playing += 1
            world.expect(world.playing == 1, "two answers sound at once")

            async def noted() -> Any:
                async for frame in stream:
                    await world.strike("display")
                    yield frame

            try:
                await super().play(noted())
            finally:
                world.playing -= 1

        @property
        def played(self) -> Any:
            return self

        @played.setter
        def played(self, _: Any) -> None: ...

        def append(self, frame: Any) -> None:
            self._now.note(frame)
            self._ring()

        async def chime(self, sound: Any) -> None:
            self._ring()

        def _ring(self) -> None:
            current = world.current()
            if current is not None and current.kind == "ring":
                world.rung.add(current.text)

    yield microphone, "ScriptedMicrophone", Microphone
    yield wake_word, "ScriptedWake", Wake
    yield vad, "ScriptedVad", Vad
    yield stt, "ScriptedRecognizer", Recognizer
    yield conversation, "ScriptedResponder", Responder
    yield tts, "ScriptedSynthesizer", Synthesizer
    yield render, "ScriptedRenderer", Renderer
    yield display, "ScriptedDisplay", Display


@contextmanager
def simulated_time(world: World) -> Iterator[None]:
    """The loop's clock is everybody's, the memory is always the same, and the parts are the world's."""
    with pytest.MonkeyPatch.context() as patch:
        clock = asyncio.get_running_loop().time

        async def measured(governor: Governor) -> float:
            return governor.memory_mb

        patch.setattr(time, "monotonic", lambda: 1000.0 + clock())
        patch.setattr(time, "time", lambda: 1_800_000_000.0 + clock())
        for one in (OwnVoice, Ladder, Sessions):
            usual = [time.monotonic if callable(d) else d for d in one.__init__.__defaults__ or ()]
            patch.setattr(one.__init__, "__defaults__", tuple(usual))
        patch.setattr(Governor, "_measured", measured)
        patch.setattr(health, "trim", lambda: None)
        for module, name, part in parts(world):
            patch.setattr(module, name, part)
        yield


class Deeds:
    """What people and things do to the house."""

    def __init__(self, world: World, reopen: Callable[[], Any]) -> None:
        self.world, self._reopen = world, reopen
        self._count = 0

    @property
    def door(self) -> Any:
        assert self.world.foundation is not None
        return self.world.foundation.door

    def _number(self) -> int:
        self._count += 1
        return self._count

    async def wake(self) -> None:
        if not self.door.muted:
            self.world.sound.append(written("wake", "okay_nabu"))

    async def speak(self, seconds: float = 0.3) -> None:
        if not self.door.muted:
            self.world.sound.extend([written("speech", f"question {self._number()}")] * 10)
            self.world.sound.extend([np.zeros(FRAME, np.int16)] * 20)

    async def request(self) -> None:
        await self.wake()
        self.world.sound.extend([np.zeros(FRAME, np.int16)] * 6)
        await self.speak()

    async def say(self, length: int = 1, **options: Any) -> None:
        number = self._number()
        note = text("Note", number, length)
        if options.get("interrupt"):
            self.world.stilled = self.world.now
        self.world.tickets[note] = await self.door.say(note, **options)

    async def ask(self, session: str = "room") -> None:
        question = f"question {self._number()}"
        self.world.tickets[question] = await self.door.ask(question, session=session)

    async def listen(self) -> None:
        await self.door.listen()
        self.world.stilled = self.world.called = self.world.now + GRACE

    async def stop(self) -> None:
        self.world.stilled = self.world.now
        begun = {one.turn for one in self.world.shown} | {getattr(self.world.current(), "turn", None)}
        self.world.waited |= {
            said for said, ticket in self.world.tickets.items()
            if ticket.turn not in begun and not ticket.finished.done()  # type: ignore[attr-defined]
        }  # fmt: skip
        await self.door.stop()
        self.world.stilled = self.world.now

    async def mute(self, on: bool) -> None:
        await self.door.mute(on)
        self.world.sound.clear()
        if on:
            self.world.called = -1e9

    async def volume(self, percent: int) -> None:
        await self.door.set_volume(percent)

    async def set_timer(self, seconds: float) -> None:
        name = f"t{self._number()}"
        view = await self.door.set_timer(seconds, name)
        self.world.timers[view.id] = name

    async def add_to_timer(self, seconds: float) -> None:
        await self.door.add_to_timer(seconds)

    async def cancel_timer(self) -> None:
        views = self.door.timers.views()
        if views:
            self.world.cancelled.add(views[0].id)
        await self.door.cancel_timer()

    async def visitor(self, which: int, what: str) -> None:
        """One of two who come by their browsers does something; where he is not there, he comes first."""
        number = self._number()
        caller = self._caller(which)
        if caller is None:
            caller = Caller(self.world, f"web {which}", heard=what not in ("ask", "say"))
            self.world.callers.append(caller)
            assert self.world.foundation is not None
            self.world.foundation.tasks.create_task(caller.stay(), name=f"caller {len(self.world.callers)}")
            await asyncio.sleep(GRACE)
        await caller.do(what, number, text("Note", number, 2))

    async def leave(self, which: int) -> None:
        """He goes, whatever he is being told."""
        if caller := self._caller(which):
            caller.leave()

    def _caller(self, which: int) -> Caller | None:
        there = (caller for caller in self.world.callers if caller.name == f"web {which}" and caller.visit is not None)
        return next(there, None)

    async def fault(self, stage: str, kind: str) -> None:
        if not (kind == "bug" and stage in ("microphone", "wake_word")):
            self.world.faults[stage].append(kind)

    async def reload(self) -> None:
        await self._reopen()


async def follow(world: World, news: Any) -> None:
    """Note what is told, and look for what must not be."""
    state, deaf, there = "idle", False, dict[int, Any]()
    async for event in news:
        if isinstance(event, StateChanged):
            world.expect(world.may_follow(state, event.state, deaf), f"{state} → {event.state}")
            state = event.state
            asked = state != "listening" or world.now - world.called < STALL + 1
            world.expect(asked, "it listens, and nobody had it listen")
        elif isinstance(event, Problem) and event.where == "microphone":
            deaf = not event.over  # it rests in the state "error" then, and still answers
        elif isinstance(event, TurnFinished):
            world.reports.append(event.report)
            if event.report.reply.endswith("?") and event.report.source != "web":
                world.called = world.now
        elif isinstance(event, TimersChanged):
            now = {view.id: view for view in event.timers}
            for id in there.keys() - now.keys() - world.cancelled:
                rung = any(f" {world.timers[id]} " in text for text in world.rung)
                world.expect(rung, f"timer {id} is gone and was never heard")
                world.expect(world.now - world.stilled < 6, f"timer {id} fell silent and nobody had stopped it")
            for id in now.keys() - there.keys():
                world.expect(id not in world.cancelled, f"timer {id} is back")
            there = now


async def watch(world: World) -> None:
    """Look at the microphone and at the turns, again and again."""
    muted_since: float | None = None
    assert world.foundation is not None
    turns, made = set[asyncio.Task[Any]](), asyncio.all_tasks()

    def make(loop: asyncio.AbstractEventLoop, work: Any, **how: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **how)
        made.add(task)  # it gets its name later
        return task

    asyncio.get_running_loop().set_task_factory(make)
    while True:
        muted = world.foundation.door.muted
        muted_since = (muted_since if muted_since is not None else world.now) if muted else None
        if muted_since is not None and world.now - muted_since > GRACE:
            world.expect(not world.microphones, "the microphone is open while it is muted")
        for caller in world.callers:
            caller.look(GRACE)
        turns |= {task for task in made if re.match(r"(web \d+: )?turn ", task.get_name())}
        turns -= {task for task in turns if task.done()}
        made.clear()
        for place, count in Counter(task.get_name().rpartition("turn ")[0] for task in turns).items():
            world.expect(count <= 1, f"{place or 'room'}: {count} turns at a time")
        await asyncio.sleep(0.02)


@asynccontextmanager
async def troubled(configuration: Configuration) -> AsyncIterator[Deeds]:
    """A house in a world; on leaving, everything is closed."""
    world = World()
    with simulated_time(world):
        async with open_foundation(configuration) as foundation, AsyncExitStack() as stack:
            world.foundation = foundation
            houses = await stack.enter_async_context(AsyncExitStack())

            async def reopen() -> None:
                world.house = None
                await houses.aclose()
                world.house = await houses.enter_async_context(furnished(configuration, foundation))

            news = stack.enter_context(foundation.feed.subscribe(100_000))
            for job in (follow(world, news), watch(world)):
                task = foundation.tasks.create_task(job)
                stack.callback(task.cancel)
            await reopen()
            yield Deeds(world, reopen)


async def do(deeds: Deeds, name: str, arguments: dict[str, Any]) -> None:
    """Do one of the deeds; one that is refused has been told."""
    with contextlib.suppress(Refused, NotReady):
        await getattr(deeds, name)(**arguments)


def judged(world: World) -> list[str]:
    """What is wrong with what it told, beside what was shown."""
    assert world.foundation is not None
    wrong = list(world.wrong)
    for report in world.reports:
        shown = [one for one in world.shown if one.turn == report.turn and not one.apology]
        if not shown or shown[0].kind == "ring":
            continue
        heard, told = shown[0].words(), report.reply.split()
        same = told == heard if not (report.interrupted or report.error) else abs(len(told) - len(heard)) <= 1
        if not same or told != (told + heard[len(told):])[: len(told)]:
            wrong.append(f"turn {report.turn}: it tells {report.reply!r}, and {' '.join(heard)!r} was heard: {report}")
    theirs = [told for caller in world.callers for told in caller.tickets.items()]
    for said, ticket in [*world.tickets.items(), *theirs]:
        if not ticket.finished.done():  # type: ignore[attr-defined]
            wrong.append(f"{said!r}: its sender was never told")
            continue
        report = ticket.finished.result()  # type: ignore[attr-defined]
        wanted = whole(said) if said.startswith("question") else said
        if not (report.interrupted or report.error or report.reply == wanted):
            wrong.append(f"{said!r}: said to be done, and was not: {report}")
        if said in world.waited and not (report.interrupted and report.error and not report.reply):
            wrong.append(f"{said!r}: it was to be silent, and this did not go: {report}")
    return wrong + list(histories(world))


def histories(world: World) -> Iterator[str]:
    """What is wrong with what the sessions remember."""
    assert world.foundation is not None
    said = {report.heard: report for report in world.reports if report.heard}
    for id in world.foundation.sessions.ids:
        for exchange in world.foundation.sessions.view(id, "en").history:
            report = said.get(exchange.heard)
            if report is None or report.reply != exchange.said:
                yield f"remembered {exchange}, and told {report}"
            elif not report.error:
                given, rest = exchange.said.split(), exchange.unsaid.removesuffix("…").split()
                answer = whole(exchange.heard).split()
                if answer[: len(given)] != given or (rest and not exchange.unsaid.endswith("…") and (
                    answer[len(answer) - len(rest):] != rest or len(given) + len(rest) < len(answer)
                )):  # fmt: skip
                    yield f"remembered {exchange}, and the whole is {' '.join(answer)!r}"


async def settled(deeds: Deeds, seconds: float = 900) -> None:
    """Let everything come to its end, stopping what rings."""
    world = deeds.world
    world.faults.clear()
    end = world.now + seconds
    while True:
        house = world.house
        assert house is not None
        ringing = [view for view in deeds.door.timers.views() if view.ringing]
        if ringing and house.place.current is not None and house.place.current.kind == "ring":
            await asyncio.sleep(2.0)
            await deeds.stop()
        quiet = house.place.state == "idle" and house.place.current is None and not house.place.queued
        quiet = quiet and all(caller.quiet for caller in world.callers)
        if quiet and not deeds.door.timers.views():
            break
        if world.now > end:
            world.expect(False, f"not at rest within {seconds:.0f} s: {deeds.door.status()}")
            return
        await asyncio.sleep(0.25)


async def serves(deeds: Deeds) -> None:
    """It hears, answers and says as if nothing had been."""
    world = deeds.world
    for caller in world.callers:
        caller.leave()
    await deeds.mute(False)
    await asyncio.sleep(90)  # the longest pause before a microphone is tried again
    await settled(deeds)
    before = len(world.reports)
    await deeds.request()
    await asyncio.sleep(30)
    last = world.reports[-1] if len(world.reports) > before else None
    world.expect(last is not None and last.reply == whole(last.heard or "question 0"), f"in the end it answers {last}")
    await deeds.say()
    await asyncio.sleep(15)
    house = world.house
    assert house is not None
    world.expect(house.place.state == "idle", f"in the end it is {house.place.state}")
    screen: Any = house.place.displays._own[0][1]
    world.expect(screen.volume == deeds.door.settings.volume, f"volume {screen.volume}, not {deeds.door.settings}")


