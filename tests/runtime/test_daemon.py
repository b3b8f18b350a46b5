"""The daemon inside this process, on scripted engines: races, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from counting import threads_begun
from daemons import plugin, yaml_of

from avatard.api.context import Visit
from avatard.api.door import Ticket
from avatard.api.errors import ConfigError, NotReady, StageFailed
from avatard.api.news import Problem, SettingChanged, StateChanged, TurnFinished
from avatard.plugins.scripted.config import DisplayConfig, MicrophoneConfig
from avatard.plugins.scripted.display import ScriptedDisplay
from avatard.plugins.scripted.microphone import ScriptedMicrophone
from avatard.plugins.scripted.tts import ScriptedSynthesizer
from avatard.plugins.scripted.wake_word import ScriptedWake
from avatard.runtime import bridges, daemon
from avatard.runtime.config import load
from avatard.runtime.daemon import Daemon
from avatard.runtime.foundation import Foundation
from avatard.runtime.notify import Notifier
from avatard.runtime.stories import places
from avatard.talk.assistant import Door

QUICK = {"tts": "scripted", "encoder": "scripted", "avatar": "{render: [scripted]}",
         "display": "{platform: scripted, pace: fast}"}  # fmt: skip
REAL = QUICK | {"display": "scripted"}
OTHER = "{platform: scripted, seconds_per_word: 0.2}"


class Daemons:
    """A daemon and its file."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.door: Door
        self.foundation: Foundation
        self.news: list[Any] = []
        self.left = 0

    def write(self, **keys: str) -> None:
        self.config.write_text(yaml_of(**(QUICK | keys)))

    async def reloaded(self, **keys: str) -> None:
        """Write, reload and wait for the word about it."""
        self.write(**keys)
        before = sum(_about_the_configuration(event) for event in self.news)
        self.daemon.hang_up()
        await self.until(lambda: sum(map(_about_the_configuration, self.news)) > before)
        await self.until(lambda: self.door.household is not None)

    async def until(self, want: Callable[[], Any], seconds: float = 10) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := want()):
                await asyncio.sleep(0.01)
        return found

    async def say(self, text: str = "hello", **more: Any) -> Ticket:
        """Say it, as soon as that can be."""
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(NotReady):
                    return await self.door.say(text, **more)
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def running(self, monkeypatch: pytest.MonkeyPatch, **keys: str) -> AsyncIterator[Daemons]:
        """Run it; leaving the block ends it as SIGTERM would."""
        self.write(**keys)
        found: asyncio.Future[Foundation] = asyncio.get_running_loop().create_future()
        laid = daemon.open_foundation

        @asynccontextmanager
        async def noted(configuration: Any) -> AsyncIterator[Foundation]:
            async with laid(configuration) as foundation:
                found.set_result(foundation)
                with foundation.feed.subscribe(1000) as news:
                    reading = asyncio.create_task(self._read(news))
                    try:
                        yield foundation
                    finally:
                        reading.cancel()

        def leave() -> None:
            self.left += 1

        self.daemon = Daemon(self.config, load(self.config), Notifier(None), leave)
        with monkeypatch.context() as patch:
            patch.setattr(daemon, "open_foundation", noted)
            self.task = asyncio.create_task(self.daemon.run())
            await asyncio.wait({self.task, found}, return_when=asyncio.FIRST_COMPLETED)
        self.foundation = await found
        self.door = self.foundation.door
        try:
            yield self
        finally:
            self.daemon.end()
            async with asyncio.timeout(10):
                await asyncio.wait({self.task})

    async def _read(self, news: Any) -> None:
        async for event in news:
            self.news.append(event)


def _about_the_configuration(event: Any) -> bool:
    return isinstance(event, Problem) and event.where == "configuration"


@pytest.fixture
def box(tmp_path: Path) -> Daemons:
    return Daemons(tmp_path / "box.yaml")


Patch = pytest.MonkeyPatch


async def test_many_reloads_leave_nothing_behind(box: Daemons, monkeypatch: Patch) -> None:
    me = psutil.Process()

    def counted() -> tuple[int, ...]:
        gc.collect()
        return len(asyncio.all_tasks()), threads_begun(), len(me.children()), me.num_fds()

    async with box.running(monkeypatch, tts="espeak"):
        await (await box.say()).finished
        await box.reloaded(tts="{platform: espeak, rate: 200}")
        await (await box.say()).finished
        before = counted()
        for round in range(20):
            if round % 3 == 2:
                await box.reloaded(microphone="{platform: file, path: missing.wav}")
                assert "missing.wav" in await box.until(lambda: box.door.problems.get("configuration"))
            else:
                await box.reloaded(tts=f"{{platform: espeak, rate: {150 + round}}}")
                assert await box.until(lambda: not box.door.problems)
        await (await box.say()).finished
        with contextlib.suppress(TimeoutError):  # the next line then tells what is left
            await box.until(lambda: counted() <= before)
        assert counted() == before, (counted(), before, threading.enumerate())
    assert box.task.cancelled() or box.task.exception() is None


async def test_one_house_after_another_keeps_mute_volume_and_timers(box: Daemons, monkeypatch: Patch) -> None:
    async with box.running(monkeypatch):
        await box.until(lambda: box.door.household)
        await box.door.mute(True)
        await box.door.set_volume(40)
        timer = await box.door.set_timer(600, "tea")
        house = box.door.household
        await box.reloaded()
        assert box.door.household is house, "nothing has changed"
        await box.reloaded(memory="{budget_mb: 1234}")
        assert box.door.household is house and box.foundation.governor.budget_mb == 1234
        await box.reloaded(tts=OTHER)
        assert box.door.household is not house
        status = box.door.status()
        assert (status.muted, status.volume, [t.id for t in status.timers]) == (True, 40, [timer.id])


async def test_commands_while_the_house_is_closed(box: Daemons, monkeypatch: Patch, tmp_path: Path) -> None:
    plugin(tmp_path / "wheels", "waits", "vad", WAITS, "until: str")
    monkeypatch.syspath_prepend(tmp_path / "wheels")
    async with box.running(monkeypatch):
        await box.until(lambda: box.door.household)
        await box.door.set_timer(1, "egg")
        box.write(vad=f"{{platform: waits, until: {tmp_path}/now}}")
        box.daemon.hang_up()
        await box.until(lambda: box.door.household is None)
        await box.door.mute(True)
        await box.door.set_volume(30)
        with pytest.raises(NotReady):
            await box.door.say("too early")
        await asyncio.sleep(1.3)
        (tmp_path / "now").touch()
        await box.until(lambda: box.door.household)
        assert (box.door.status().muted, box.door.status().volume) == (True, 30)
        assert {SettingChanged("mute", True), SettingChanged("volume", 30)} <= set(filter(_is_setting, box.news))
        ring = await box.until(lambda: box.door.household and box.door.household.place.current)
        assert ring.text == "Your egg timer is done.", "it rings as soon as somebody can"
        assert not box.task.done()


def _is_setting(event: Any) -> bool:
    return isinstance(event, SettingChanged)


WAITS = """
import asyncio
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def async_setup(context, config):
    while not Path(config.until).exists():
        await asyncio.sleep(0.01)
    yield
"""


async def test_a_timer_that_finds_the_queue_full_rings_later(box: Daemons, monkeypatch: Patch) -> None:
    async with box.running(monkeypatch, **REAL, sessions="{max_queue: 1}"):
        await box.say("a " * 100)
        await box.say("b")
        await box.door.set_timer(1, "egg")
        await asyncio.sleep(1.3)
        assert not box.task.done() and box.door.status().queued == 1 and box.door.timers.views()
        await box.door.stop()
        await box.until(lambda: box.door.household and box.door.household.place.current)
        assert box.door.household and box.door.household.place.current
        assert box.door.household.place.current.kind == "ring"


async def test_a_reload_lets_what_waits_be_said(box: Daemons, monkeypatch: Patch) -> None:
    async with box.running(monkeypatch, **REAL):
        tickets = [await box.say(text) for text in ("one two three", "four five", "six")]
        await box.until(lambda: StateChanged("responding") in box.news)
        await box.reloaded(**REAL | {"tts": OTHER})
        reports = [await ticket.finished for ticket in tickets]
        assert [(r.reply, r.interrupted) for r in reports] == [
            ("one two three", False), ("four five", False), ("six", False)]  # fmt: skip


async def test_a_reload_does_not_wait_for_ever(box: Daemons, monkeypatch: Patch) -> None:
    monkeypatch.setattr(daemon, "FINISH_LIMIT", 0.3)
    async with box.running(monkeypatch, **REAL):
        ticket = await box.say("a " * 200)
        await box.until(lambda: StateChanged("responding") in box.news)
        await box.reloaded(**REAL | {"tts": OTHER})
        assert (await ticket.finished).interrupted
        assert (await (await box.say()).finished).error == ""


class Guest:
    """Whoever comes back whenever the visit has ended, as a page does."""

    def __init__(self, box: Daemons) -> None:
        self.box, self.screen = box, ScriptedDisplay(DisplayConfig())
        self.visit: Visit | None = None
        self.ended: list[str] = []
        self.task = asyncio.create_task(self._come())

    async def _come(self) -> None:
        while True:
            try:
                microphone = ScriptedMicrophone(MicrophoneConfig())
                async with self.box.foundation.visit("web", microphone, self.screen, "anna") as self.visit:
                    await asyncio.Event().wait()
            except NotReady as err:
                if self.visit is not None:
                    self.ended.append(str(err))
            self.visit = None
            await asyncio.sleep(0.01)

    async def ask(self, text: str) -> Ticket:
        visit = await self.box.until(lambda: self.visit)
        return await visit.assistant.ask(text)


async def test_visitors_come_back_after_a_reload(box: Daemons, monkeypatch: Patch) -> None:
    async with box.running(monkeypatch):
        guest = Guest(box)
        await (await guest.ask("hello")).finished
        asked = await guest.ask("what is said before the reload is said to its end")
        await box.reloaded(tts=OTHER)
        report = await asked.finished
        assert (report.interrupted, report.error) == (False, "") and report.reply.endswith("said to its end.")
        assert len(guest.ended) == 1 and guest.ended[0].startswith("the configuration has changed")
        again = await (await guest.ask("hello again")).finished
        assert again.frames["count"] == round(4 * 0.2 * 25), again  # the other voice
        assert [e.heard for e in box.foundation.sessions.view("anna", "en").history][::2] == ["hello", "hello again"]
        # Where bridges alone change, nobody has to go.
        await box.reloaded(tts=OTHER, memory="{budget_mb: 2345}")
        assert guest.visit is not None and len(guest.ended) == 1
        guest.task.cancel()


@pytest.mark.parametrize("during", ["rest", "an answer"])
async def test_an_end_sends_visitors_away(box: Daemons, monkeypatch: Patch, during: str) -> None:
    async with box.running(monkeypatch):
        guest = Guest(box)
        await box.until(lambda: guest.visit)
        if during == "an answer":
            asked = await guest.ask("a " * 50)
            await box.until(lambda: guest.screen.shown > 0)
    assert box.task.cancelled() and len(guest.ended) == 1
    if during == "an answer":
        assert (await asked.finished).interrupted
    guest.task.cancel()
    await asyncio.wait({guest.task})
    assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("web ")]


async def test_it_ends_at_any_moment_of_a_reload(box: Daemons, monkeypatch: Patch) -> None:
    for steps in range(0, 60, 8):
        async with box.running(monkeypatch, tts="espeak") as here:
            await here.until(lambda: here.door.household)
            here.write(tts="{platform: espeak, rate: 200}")
            here.daemon.hang_up()
            for _ in range(steps):
                await asyncio.sleep(0)
        assert here.task.cancelled() or here.task.exception() is None
        await here.until(lambda: psutil.Process().children() == [])


async def test_it_ends_at_any_moment_of_its_start(box: Daemons) -> None:
    box.write(tts="espeak")
    configuration = load(box.config)
    for pause in (0, 0.02, 0.1, 0.3):
        starting = Daemon(box.config, configuration, Notifier(None))
        task = asyncio.create_task(starting.run())
        await asyncio.sleep(pause)
        starting.end()
        async with asyncio.timeout(10):
            await asyncio.wait({task})
        assert task.cancelled() or task.exception() is None
        assert psutil.Process().children() == []


async def test_an_error_on_the_way_out_is_no_failure(box: Daemons, monkeypatch: Patch, tmp_path: Path) -> None:
    plugin(tmp_path / "wheels", "sore", "vad", SORE)
    monkeypatch.syspath_prepend(tmp_path / "wheels")
    async with box.running(monkeypatch, vad="sore"):
        await box.until(lambda: box.door.household)
        await box.reloaded(tts=OTHER)  # the house with the sore part closes: that holds up nothing
        assert await box.until(lambda: box.door.household) and box.door.problems == {}
        await box.reloaded(vad="sore")
    assert box.task.cancelled() or box.task.exception() is None
    assert box.left >= 1 and not box.daemon.again


SORE = """
from contextlib import asynccontextmanager
from avatard.api.errors import StageFailed


@asynccontextmanager
async def async_setup(context, config):
    try:
        yield
    finally:
        raise StageFailed("vad", "sore", "did not close")
"""


async def test_a_stop_is_no_error_whatever_a_stage_raises_as_it_ends(box: Daemons, monkeypatch: Patch) -> None:
    async def sore(self: Any, sentence: Any) -> AsyncIterator[Any]:
        try:
            async for piece in spoken(self, sentence):
                yield piece
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise StageFailed("tts", "scripted", "as it ended") from None

    spoken = ScriptedSynthesizer.speak
    monkeypatch.setattr(ScriptedSynthesizer, "speak", sore)
    async with box.running(monkeypatch, **REAL):
        ticket = await box.say("a " * 50)
        await box.until(lambda: StateChanged("responding") in box.news)
        await box.door.stop()
        report = await ticket.finished
        assert (report.interrupted, report.error) == (True, "")
        assert box.door.status().state == "idle" and box.door.problems == {}
        assert len([event for event in box.news if isinstance(event, TurnFinished)]) <= 1


async def test_a_bug_in_the_apology_loses_no_more_than_the_turn(box: Daemons, monkeypatch: Patch) -> None:
    async def broken(self: Any, sentence: Any) -> AsyncIterator[Any]:
        raise ValueError("a bug")
        yield

    async with box.running(monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(ScriptedSynthesizer, "speak", broken)
            assert "a bug" in (await (await box.say()).finished).error
            await box.until(lambda: box.door.problems.get("turn") == "a bug")
        assert (await (await box.say()).finished).error == ""
        await box.until(lambda: box.door.problems == {})


@pytest.mark.parametrize("part", [ScriptedWake, ScriptedMicrophone])
async def test_listening_goes_on_after_a_failure(box: Daemons, monkeypatch: Patch, part: type[Any]) -> None:
    script = "{platform: scripted, script: [{silence: 0.2}, {wake: x}, {silence: 0.3}, {say: hello}, {silence: 3600}]}"
    failed = 0
    name = "feed" if part is ScriptedWake else "_frame"
    usual = getattr(part, name)

    async def once(self: Any, *args: Any) -> Any:
        nonlocal failed
        failed += 1
        if failed == 2:
            raise StageFailed("wake_word", "scripted", "its process ended")
        return await usual(self, *args)

    monkeypatch.setattr(part, name, once)
    monkeypatch.setattr("avatard.talk.watch.RETRY_FIRST", 0.1)
    async with box.running(monkeypatch, microphone=script):
        problem = Problem("microphone", "wake_word (scripted) failed: its process ended")
        await box.until(lambda: problem in box.news)
        await box.until(lambda: any(isinstance(e, TurnFinished) and e.report.heard == "hello" for e in box.news), 15)
        await box.until(lambda: box.door.problems == {})


async def test_a_stuck_turn_does_not_spoil_the_next(box: Daemons, monkeypatch: Patch) -> None:
    free = asyncio.Event()

    async def deaf(self: Any, sentence: Any) -> AsyncIterator[Any]:
        if sentence.text == "deaf":
            while not free.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await free.wait()
        async for piece in spoken(self, sentence):
            yield piece

    spoken = ScriptedSynthesizer.speak
    monkeypatch.setattr(ScriptedSynthesizer, "speak", deaf)
    monkeypatch.setattr("avatard.talk.place.CANCEL_LIMIT", 0.2)
    async with box.running(monkeypatch, **REAL):
        stuck = await box.say("deaf")
        await box.until(lambda: box.door.status().state == "processing")
        await box.door.stop()
        assert (await stuck.finished).interrupted
        following = await box.say("one two three four five")
        await box.until(lambda: box.door.status().state == "responding")
        free.set()
        await asyncio.sleep(0.2)
        status = box.door.status()
        assert (status.state, status.turn) == ("responding", following.turn)
        assert (await following.finished).reply == "one two three four five"


# Bridges.

BRIDGE = """
import asyncio
from contextlib import asynccontextmanager
from avatard.api import errors

OPEN = []


@asynccontextmanager
async def async_setup(context, config):
    if config.error:
        raise getattr(errors, config.error, None)("as configured")
    if config.hangs:
        await asyncio.sleep(3600)
    OPEN.append((context.title, config.number))
    try:
        yield
    finally:
        try:
            await asyncio.sleep(config.closing)
        finally:
            OPEN.remove((context.title, config.number))
"""
FIELDS = "error: str = ''\n    hangs: bool = False\n    number: int = 0\n    closing: float = 0"


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[tuple[str, int]]]:
    """Two kinds of bridges, and which of them are open."""
    import importlib
    import sys

    monkeypatch.syspath_prepend(tmp_path / "wheels")
    for name in ("one", "two"):
        plugin(tmp_path / "wheels", name, "bridge", BRIDGE, FIELDS)
        for module in [m for m in sys.modules if m.startswith(f"avatard_{name}")]:
            del sys.modules[module]
    importlib.invalidate_caches()
    return lambda: sorted(
        entry for name in ("one", "two") if (module := sys.modules.get(f"avatard_{name}.bridge"))
        for entry in module.OPEN
    )  # fmt: skip


async def test_bridges_change_beside_the_house(box: Daemons, monkeypatch: Patch, opened: Any) -> None:
    async with box.running(monkeypatch, one="{number: 1}", two="{number: 2}"):
        await box.until(lambda: box.door.household and len(opened()) == 2)
        house = box.door.household
        await box.reloaded(one="{number: 1}", two="{number: 3}")
        assert opened() == [("box", 1), ("box", 3)]
        await box.reloaded(two="{number: 3, error: ConfigError}", one="{number: 5}")
        await box.until(lambda: opened() == [("box", 1), ("box", 3)])
        assert "as configured" in await box.until(lambda: box.door.problems.get("configuration"))
        assert box.door.household is house
        await box.reloaded(one="{number: 4}", id="box", name="tin")
        assert opened() == [("tin", 4)], "a bridge was told the name, so it is opened again"
    assert opened() == []


async def test_a_bridge_that_sees_beforehand_what_is_wrong_never_closes(
    box: Daemons, monkeypatch: Patch, opened: Any
) -> None:
    async with box.running(monkeypatch, one="{number: 1}"):
        await box.until(lambda: box.door.household and opened())
        import sys

        module = sys.modules["avatard_one.bridge"]

        def check(config: Any) -> None:
            if config.number == 2:
                raise ConfigError("there is no such certificate")

        closed: list[str] = []
        monkeypatch.setattr(module, "check", check, raising=False)
        monkeypatch.setattr(bridges.Bridge, "close", lambda self, removed: closed.append(self.entry.platform))
        await box.reloaded(one="{number: 2}")
        assert "certificate" in await box.until(lambda: box.door.problems.get("configuration"))
        assert opened() == [("box", 1)] and closed == []
        monkeypatch.undo()


async def test_the_way_back_is_never_barred(box: Daemons, monkeypatch: Patch, opened: Any) -> None:
    monkeypatch.setattr(bridges, "RETRY_FIRST", 0.1)
    async with box.running(monkeypatch, one="{number: 1}"):
        await box.until(lambda: box.door.household and opened())
        import sys

        module = sys.modules["avatard_one.bridge"]
        usual = module.async_setup

        @asynccontextmanager
        async def gone(context: Any, config: Any) -> AsyncIterator[None]:
            raise ConfigError("the certificate has gone")
            yield

        monkeypatch.setattr(module, "async_setup", gone)
        await box.reloaded(one="{number: 2}")
        await box.until(lambda: "certificate" in box.door.problems.get("one", ""))
        assert (await (await box.say()).finished).error == ""
        monkeypatch.setattr(module, "async_setup", usual)
        await box.until(lambda: opened() == [("box", 1)])
        await box.until(lambda: "one" not in box.door.problems)


async def test_bridges_that_hang_hold_nothing_up(box: Daemons, monkeypatch: Patch, opened: Any) -> None:
    monkeypatch.setattr(bridges, "CLOSE_LIMIT", 0.3)
    async with box.running(monkeypatch, one="{number: 1, closing: 3600}"):
        await box.until(lambda: box.door.household and opened())
        await box.reloaded(two="{number: 2}")
        assert opened() == [("box", 2)]
        box.write(two="{number: 2}", one="{hangs: true}")
        box.daemon.hang_up()
        await asyncio.sleep(0.2)
        assert (await (await box.say()).finished).error == ""
    assert opened() == []


async def test_an_end_while_a_bridge_closes_lets_it_close(box: Daemons, monkeypatch: Patch, opened: Any) -> None:
    async with box.running(monkeypatch, one="{number: 1, closing: 0.5}"):
        await box.until(lambda: box.door.household and opened())
        box.write(two="{number: 2}")
        box.daemon.hang_up()
        await asyncio.sleep(0.2)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began > 0.1, "its farewell was not cut off"
    assert opened() == []


async def test_a_bridge_that_cannot_be_configured_so_ends_the_start(
    box: Daemons, monkeypatch: Patch, opened: Any
) -> None:
    box.write(one="{number: 1}", two="{error: ConfigError}")
    with pytest.raises(ConfigError, match="as configured"):
        await Daemon(box.config, load(box.config), Notifier(None)).run()
    assert opened() == []
    for error in ("NotReady", "Refused", "nonsense"):
        async with box.running(monkeypatch, one="{number: 1}", two=f"{{error: {error}}}"):
            await box.until(lambda: box.door.problems.get("two"))
            assert (await (await box.say()).finished).error == ""
        assert opened() == []


async def test_what_awaits_what_is_written_down() -> None:
    async def inner() -> None:
        await asyncio.sleep(60)

    async def outer() -> None:
        await inner()

    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    names = [name.rpartition(".")[2] for _, _, name in places(task.get_coro())]
    assert names[:3] == ["outer", "inner", "sleep"]
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
