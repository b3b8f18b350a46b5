"""The governor with measured megabytes and a clock that the test turns."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from avatard.api.errors import ConfigError, OutOfMemory, Refused, StageFailed
from avatard.api.news import EngineChanged, Tier, TierChanged
from avatard.runtime.budget import CGROUP_SHARE, budget_of, cgroup_limit_mb, strain
from avatard.runtime.config.core import Memory
from avatard.runtime.feed import Feed, Reader
from avatard.runtime.governor import Governor
from avatard.runtime.holds import Holds
from avatard.runtime.ledger import Ledger
from avatard.runtime.model import ThreadModel
from avatard.runtime.tiers import Ladder
from avatard.talk.ranking import Ranking
from avatard.talk.sessions import Sessions


class Tenant:
    """A model that takes what it says."""

    def __init__(self, name: str, megabytes: float, loaded: bool = True) -> None:
        self.name, self.megabytes, self.loaded = name, megabytes, loaded
        self.holds = Holds()
        self.holds.last = 0.0

    async def unload(self) -> None:
        self.loaded = False


class Kept:
    """A cache."""

    def __init__(self, megabytes: float, broken: bool = False) -> None:
        self.megabytes, self.broken = megabytes, broken

    def shed(self) -> None:
        if self.broken:
            raise RuntimeError("no")
        self.megabytes = 0


@dataclass
class Box:
    """A governed box: 100 MB of its own, a budget of 1000."""

    path: Path
    settings: Memory = field(default_factory=lambda: Memory(budget_mb=1000))
    tier: Tier = "normal"
    now: float = 1000.0
    ballast: float = 0.0
    strained: Tier = "normal"
    room: float = 1e6
    feed: Feed = field(default_factory=Feed)

    def __post_init__(self) -> None:
        self.sessions = Sessions(clock=lambda: self.now)
        self.governor = Governor(
            self.settings, "box.yaml", self.path / "models.json", self.sessions, self, self.feed,
            measure=self.measure, strained=lambda: self.strained, room=lambda used: self.room, clock=lambda: self.now,
        )  # fmt: skip
        self.all = self.governor.belongings

    def measure(self) -> float:
        taken = sum(m.megabytes for m in self.all.models if m.loaded) + sum(c.megabytes for _, _, c in self.all.caches)
        return 100 + self.ballast + taken

    async def looks(self, seconds: float = 1.0) -> list[str]:
        """Let time pass, look, and say what was done."""
        self.now += seconds
        with self.feed.subscribe(256) as news:
            await self.governor.look()
            return done(news)


def done(news: Reader) -> list[str]:
    return [what for event in news.waiting() if isinstance(event, TierChanged) for what in event.did]


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    box = Box(tmp_path)
    await box.governor.weigh()
    yield box
    box.governor.close()


def ranking(box: Box, stage: str, *names: str) -> Ranking[str]:
    async def opened(name: str) -> str:
        return name

    ranked = Ranking(stage, [(name, lambda name=name: opened(name)) for name in names], box.feed)  # type: ignore[misc]
    box.all.rankings.append(ranked)
    return ranked


async def session(box: Box, id: str) -> None:
    async with box.sessions.using(id):
        pass


async def test_each_tier_does_its_steps_in_the_declared_order(box: Box) -> None:
    models = [Tenant("stt.a", 60), Tenant("tts.b", 90)]
    box.all.models += models
    box.all.caches += [(5, "faces", Kept(10)), (1, "phrases", Kept(20))]
    speech = ranking(box, "tts", "b", "c")
    await session(box, "old")
    box.ballast = 2000
    assert await box.looks(601) == [
        "expire_sessions: old", "drop_caches: phrases", "drop_caches: faces", "unload_models: tts.b",
        "unload_models: stt.a", "refuse_sessions", "step_down: tts.b → tts.c",
    ]  # fmt: skip
    assert (box.tier, speech.name) == ("survive", "c")
    assert not any(m.loaded for m in models)


async def test_the_order_can_be_changed_and_a_step_left_out(tmp_path: Path) -> None:
    steps = {"tidy": ["unload_models"], "shed": ["drop_caches"], "survive": []}
    box = Box(tmp_path, Memory.model_validate({"budget_mb": 1000, "steps": steps}))
    await box.governor.weigh()
    box.all.models.append(Tenant("stt.a", 60))
    box.all.caches.append((0, "faces", Kept(10)))
    box.ballast = 5000
    assert await box.looks() == ["unload_models: stt.a", "drop_caches: faces"]
    await box.sessions.admit("another")
    box.governor.close()


async def test_no_more_is_put_down_than_is_needed(box: Box) -> None:
    models = {size: Tenant(f"stt.{size}", size) for size in (50, 200, 100)}
    box.all.models += models.values()
    box.ballast = 600
    assert await box.looks() == ["unload_models: stt.200"]
    assert [m.loaded for m in models.values()] == [True, False, True]
    box.ballast = 400 + 200
    assert await box.looks() == []


async def test_what_is_in_use_or_was_just_used_stays(box: Box) -> None:
    busy, recent = Tenant("stt.busy", 300), Tenant("tts.recent", 200)
    box.all.models += [busy, recent]
    recent.holds.last = box.now - 5
    box.ballast = 450
    with busy.holds.held():
        assert await box.looks(0) == []
        box.ballast = 900
        assert "unload_models: tts.recent" in await box.looks(0)
    assert busy.loaded


async def test_tiers_end_one_at_a_time_after_a_calm_minute(box: Box) -> None:
    tiers = []
    for ballast, seconds in ((1200, 1), (590, 1), (590, 59), (590, 1), (590, 59), (650, 1), (590, 30), (590, 31),
                             (590, 30), (590, 60), (590, 60)):  # fmt: skip
        box.ballast = ballast
        await box.looks(seconds)
        tiers.append(box.tier)
    assert tiers == ["survive"] * 3 + ["shed"] * 5 + ["tidy"] + ["normal"] * 2, tiers


async def test_each_change_is_news_with_what_it_freed(box: Box) -> None:
    box.all.models.append(Tenant("stt.a", 300))
    box.ballast = 650
    with box.feed.subscribe() as news:
        await box.governor.look()
        assert news.waiting() == [
            TierChanged("shed", (), 0.0, 1050, 1000),
            TierChanged("shed", ("unload_models: stt.a",), 300, 750, 1000),
        ]  # fmt: skip


async def test_the_machine_s_own_want_raises_the_tier_but_never_to_survive(box: Box) -> None:
    box.all.models.append(Tenant("stt.a", 30))
    ladder = Ladder(box.settings)
    box.strained = "tidy"
    assert (await box.looks(), box.tier) == ([], "tidy")
    box.strained = "shed"
    assert (await box.looks(), box.tier) == (["unload_models: stt.a"], "shed")
    await box.looks(120)
    assert box.tier == "shed"
    box.strained = "normal"
    await box.looks()
    await box.looks(60)
    assert box.tier == "tidy" and ladder.tier == "normal"


async def test_the_most_expensive_engine_steps_down_and_comes_back(box: Box) -> None:
    tts, stt, last = Tenant("tts.big", 100), Tenant("stt.large", 200), Tenant("render.only", 400)
    box.all.models += [tts, stt, last]
    voice, ears = ranking(box, "tts", "big", "small"), ranking(box, "stt", "large", "little")
    ranking(box, "render", "only")
    box.ballast = 900
    with stt.holds.held(), tts.holds.held(), last.holds.held():
        assert "step_down: stt.large → stt.little" in await box.looks()
        assert await box.looks() == [], "the next one waits until the first has given its memory back"
        assert (voice.name, ears.name, stt.loaded) == ("big", "little", True)
    box.ballast = 300
    box.now += 5
    stt.holds.last = tts.holds.last = last.holds.last = 0
    assert await box.looks() == ["unload_models: stt.large"]
    box.ballast = -200
    did: list[str] = []
    for _ in range(4):
        did += await box.looks(60)
    assert did == ["step_up: stt.large"] and ears.name == "large" and box.tier == "normal"


async def test_an_engine_that_failed_does_not_come_back(box: Box) -> None:
    voice = ranking(box, "tts", "broken", "small")
    voice.step_down(StageFailed("tts", "broken"))
    for _ in range(3):
        assert await box.looks(60) == []
    assert voice.name == "small"


async def test_a_broken_cache_does_not_keep_the_others(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    box.all.caches += [(0, "broken", Kept(10, broken=True)), (1, "fine", Kept(10))]
    box.ballast = 790
    assert await box.looks() == ["drop_caches: fine"]
    assert "cache broken cannot be dropped" in caplog.text


async def test_in_survive_only_the_room_may_begin(box: Box) -> None:
    async with box.sessions.using("kitchen"):
        await session(box, "idle")
        box.ballast = 1500
        assert "end_sessions: idle" in await box.looks()
        await box.sessions.admit("kitchen")
        await box.sessions.admit("room")
        with pytest.raises(Refused, match=r"memory is short .1600 of 1000 MB."):
            await box.sessions.admit("other")
    box.ballast = 0
    await box.looks()
    await box.looks(60)
    await box.sessions.admit("other")


async def load(box: Box, tenant: Tenant) -> None:
    async with box.governor.loading(tenant.name, tenant.megabytes):
        tenant.loaded = True


async def test_room_is_made_before_a_load(box: Box) -> None:
    old, asking = Tenant("stt.old", 400), Tenant("tts.asking", 500, loaded=False)
    box.all.models += [old, asking]
    box.all.caches.append((0, "faces", Kept(50)))
    box.ballast = 100
    with box.feed.subscribe() as news:
        await load(box, asking)
        assert done(news) == ["drop_caches: faces", "unload_models: stt.old"]
    assert asking.loaded and not old.loaded


async def test_what_a_load_took_is_remembered(box: Box, tmp_path: Path) -> None:
    tenant = Tenant("tts.new", 321, loaded=False)
    box.all.models.append(tenant)
    async with box.governor.loading("tts.new", 5):
        tenant.loaded = True
    assert json.loads((tmp_path / "models.json").read_text()) == {"tts.new": 321, "tts.new expected": 5}
    assert Ledger(tmp_path / "models.json").megabytes("tts.new") == 321
    box.ballast, tenant.loaded = 700, False
    ranking(box, "tts", "new", "small")
    with pytest.raises(OutOfMemory, match=r"tts.new needs 321 MB, 800 of 1000 MB are in use"):
        await load(box, Tenant("tts.new", 5, loaded=False))


async def test_no_room_and_the_next_one_serves(box: Box) -> None:
    async def load_big() -> str:
        async with box.governor.loading("tts.big", 2000):
            return "big"

    async def load_small() -> str:
        async with box.governor.loading("tts.small", 20):
            return "small"

    voice: Ranking[str] = Ranking("tts", [("big", load_big), ("small", load_small)], box.feed)
    box.all.rankings.append(voice)
    with box.feed.subscribe() as news:
        assert await voice.engine() == "small"
        changed = [e for e in news.waiting() if isinstance(e, EngineChanged)]
    assert [(e.stage, e.engine) for e in changed] == [("tts", "small")] and "needs 2000 MB" in changed[0].why
    for _ in range(5):
        assert await box.looks(60) == [], "it would find no room again"


async def test_the_last_of_a_ranking_may_go_beyond_the_budget_while_the_machine_has_room(box: Box) -> None:
    ranking(box, "tts", "big", "small")
    box.ballast = 1500
    small = Tenant("tts.small", 20, loaded=False)
    await load(box, small)
    box.room = 40
    with pytest.raises(OutOfMemory):
        await load(box, small)


async def test_a_model_neither_evicts_itself_nor_one_in_use(box: Box) -> None:
    used, twin = Tenant("stt.used", 400), Tenant("tts.same", 300)
    box.all.models += [used, twin]
    ranking(box, "tts", "same", "other")
    with used.holds.held(), pytest.raises(OutOfMemory):
        await load(box, Tenant("tts.same", 300, loaded=False))
    assert used.loaded and twin.loaded


async def test_loads_come_one_after_another(box: Box) -> None:
    running, most = 0, 0

    async def one(name: str) -> None:
        nonlocal running, most
        async with box.governor.loading(name, 1):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(one(f"stt.{n}") for n in range(5)))
    assert most == 1


class Engine:
    """Takes a moment to load."""

    def hello(self) -> str:
        return "hello"

    def count(self) -> Any:
        yield from range(3)


@asynccontextmanager
async def two_models(box: Box) -> AsyncIterator[tuple[ThreadModel, ThreadModel]]:
    a, b = (ThreadModel(Engine, {}, 300, stage, "x", box.governor) for stage in ("stt", "tts"))
    box.all.models += [a, b]
    yield a, b
    await a.unload()
    await b.unload()


async def test_real_models_push_each_other_out_and_come_back(tmp_path: Path) -> None:
    """Room for one of the two: each call loads its own again, and nothing waits for ever."""
    box = Box(tmp_path, Memory(budget_mb=450))
    await box.governor.weigh()
    box.measure = lambda: 100 + 300 * sum(m.loaded for m in box.all.models)  # type: ignore[method-assign]
    box.governor._measure = lambda: box.measure()
    async with two_models(box) as (a, b), asyncio.timeout(20):
        for _ in range(5):
            box.now += 1e9
            assert await a.call("hello") == "hello" and (a.loaded, b.loaded) == (True, False)
            box.now += 1e9
            async with aclosing(b.stream("count")) as numbers:
                assert [n async for n in numbers] == [0, 1, 2] and (a.loaded, b.loaded) == (False, True)
        box.room = 0
        async with b.use():
            with pytest.raises(OutOfMemory):
                await a.call("hello")
        box.now += 1e9
        assert await a.call("hello") == "hello"
    box.governor.close()


async def test_an_open_stream_is_in_use(box: Box) -> None:
    async with two_models(box) as (a, _):
        stream = a.stream("count")
        assert await anext(stream) == 0
        assert a.holds.count == 1
        await stream.aclose()
        assert a.holds.count == 0


async def test_a_budget_smaller_than_the_chain_says_what_to_write(tmp_path: Path) -> None:
    box = Box(tmp_path, Memory(budget_mb=300))
    box.all.models.append(tenant := Tenant("stt.a", 250, loaded=False))
    with pytest.raises(ConfigError) as caught:
        async with box.governor.opening(box.settings, "box.yaml"):
            await load(box, tenant)
            await box.governor.weigh()
    assert str(caught.value) == (
        "box.yaml: memory.budget_mb: 300 is too little: the engines of this configuration take 350 MB as measured; "
        "write 'budget_mb: 440' or more under 'memory:', or choose smaller engines"
    )
    box.governor.close()


async def test_a_house_that_opens_keeps_all_its_engines_and_a_failed_one_changes_nothing(box: Box) -> None:
    first, second = Tenant("stt.a", 400, loaded=False), Tenant("tts.b", 600, loaded=False)
    box.all.models += [first, second]
    with pytest.raises(ConfigError, match=r"other.yaml: memory.budget_mb: 700 is too little"):
        async with box.governor.opening(Memory(budget_mb=700), "other.yaml"):
            await load(box, first)
            await load(box, second)
            assert first.loaded and await box.looks() == []
            await box.governor.weigh()
    assert box.governor.budget_mb == 1000
    assert await box.looks() == ["unload_models: tts.b"]


def test_thresholds_must_rise() -> None:
    with pytest.raises(ValueError, match="must rise in this order"):
        Memory(tidy_percent=90, shed_percent=85)
    with pytest.raises(ValueError, match="megabytes are needed"):
        Memory(budget_mb=0)


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"a": "b"}', b'{"a": NaN}', b'{"a": -1}', b"\xff\x00", b"{" * 9000])
def test_a_broken_ledger_is_not_used(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "models.json"
    path.write_bytes(content)
    ledger = Ledger(path)
    assert ledger.megabytes("a") is None and "models.json: not used" in caplog.text
    ledger.note("a", 12)
    assert Ledger(path).megabytes("a") == 12
    assert [p.name for p in tmp_path.glob("models*")] == ["models.json"]


def test_the_first_load_in_a_process_tells(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "x" / "models.json")
    for megabytes, known in ((50, 50), (20, 50), (60, 60)):
        ledger.note("a", megabytes)
        assert ledger.megabytes("a") == known
    again = Ledger(tmp_path / "x" / "models.json")
    again.note("a", 40)
    assert again.megabytes("a") == 40


def test_another_file_of_a_model_is_not_taken_for_the_one_before(tmp_path: Path) -> None:
    Ledger(tmp_path / "models.json").note("a", 400, 500)
    ledger = Ledger(tmp_path / "models.json")
    assert (ledger.megabytes("a"), ledger.megabytes("a", 500), ledger.megabytes("a", 2500)) == (400, 400, None)
    ledger.note("a", 2200, 2500)
    ledger.note("a", 30, 500)
    assert (ledger.megabytes("a", 500), ledger.megabytes("a", 2500)) == (30, None)


def test_a_ledger_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        Ledger(tmp_path / "file" / "models.json").note("a", 5)
    assert "is not remembered" in caplog.text


def test_control_groups(tmp_path: Path) -> None:
    own = tmp_path / "own"
    for name, text in (("box/memory.max", "max"), ("box/memory.high", "500000000"), ("memory.max", "800000000"),
                       ("memory/group/memory.limit_in_bytes", "9223372036854771712"),
                       ("memory/memory.limit_in_bytes", "300000000")):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for text, limit in (("0::/box\n", 500), ("0::/\n", 800), ("4:cpu,memory:/group\n", 300), ("2:cpu:/\n", None)):
        own.write_text(text)
        assert cgroup_limit_mb(tmp_path, own) == limit, text
    assert cgroup_limit_mb(tmp_path, tmp_path / "none") is None
    assert budget_of(123) == 123.0 and budget_of("auto") > 100 and CGROUP_SHARE < 1


def test_stalls_count_as_strain(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    for some, full, tier in ((0, 0, "normal"), (30, 0, "tidy"), (60, 30, "shed")):
        path.write_text(f"some avg10={some}.00 avg60=0.00 avg300=0.00 total=1\nfull avg10={full}.00 avg60=0 total=1\n")
        assert strain(path) == tier
    assert strain(tmp_path / "none") == "normal"
