"""Whose history it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from avatard.api.errors import Refused
from avatard.api.flow import Exchange
from avatard.runtime.config import Configuration
from avatard.runtime.house import open_house
from avatard.runtime.memo import outlive
from avatard.talk.sessions import Sessions


async def full() -> None:
    raise Refused("no room")


async def used(sessions: Sessions, *ids: str) -> None:
    for id in ids:
        async with sessions.using(id) as session:
            session.remember(Exchange("hello", f"I am {id}."))


async def test_the_least_recently_used_goes_first() -> None:
    sessions = Sessions(limit=3)
    await used(sessions, "a", "b", "c", "a", "d")
    assert sessions.ids == ("c", "a", "d")
    assert [e.said for e in sessions.view("a", "en").history] == ["I am a."] * 2
    assert sessions.view("b", "en").history == ()
    assert sessions.ids == ("c", "a", "d"), "to look makes none"


async def test_one_that_speaks_never_goes() -> None:
    sessions = Sessions(limit=2)
    async with sessions.using("speaking"):
        await used(sessions, "b", "c", "d")
        assert sessions.ids == ("speaking", "d")
        async with sessions.using("too"):
            with pytest.raises(Refused, match="2 sessions are speaking already"):
                await sessions.admit("third")
            await sessions.admit("too")
            assert sessions.end_idle() == []
    assert sessions.end_idle() == ["too", "speaking"]


async def test_idle_ones_expire_and_one_that_speaks_does_not() -> None:
    now = 0.0
    sessions = Sessions(expire_seconds=60, clock=lambda: now)
    await used(sessions, "old")
    now = 50
    async with sessions.using("long"):
        now = 120
        assert sessions.expire() == ["old"]
    now = 170
    assert sessions.expire() == []
    now = 181
    assert sessions.expire() == ["long"]


async def test_a_new_one_is_made_only_where_there_is_room() -> None:
    sessions = Sessions()
    await used(sessions, "known")
    sessions.check = full
    await used(sessions, "known", "room")
    with pytest.raises(Refused, match="no room"):
        await used(sessions, "new")
    assert sessions.ids == ("known", "room")


async def test_many_at_once_stay_within_the_limit() -> None:
    sessions = Sessions(limit=3)
    asked = 0

    async def slow() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)

    sessions.check = slow
    await asyncio.gather(*(used(sessions, f"s{n % 6}") for n in range(30)))
    assert len(sessions.ids) == 3 and asked >= 6


async def test_who_is_refused_is_told_at_once_and_the_room_is_answered(scripted: Callable[..., Configuration]) -> None:
    async with open_house(scripted()) as house:
        await (await house.door.ask("hello", session="kitchen")).finished
        house.place.sessions.check = full
        with pytest.raises(Refused, match="no room"):
            await house.door.ask("hello", session="garage")
        for session in ("kitchen", "room"):
            report = await (await house.door.ask("hello", session=session)).finished
            assert (report.reply, report.error) == ("You said: hello.", "")
        assert len(house.place.sessions.view("kitchen", "en").history) == 2


def test_they_outlive_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, now = tmp_path / "sessions.json", [1_800_000_000.0]
    monkeypatch.setattr("avatard.talk.sessions.time", type("Time", (), {"time": staticmethod(lambda: now[0])}))
    sessions = Sessions(clock=lambda: now[0])
    outlive("sessions", sessions, path)
    asyncio.run(used(sessions, "room", "web"))
    assert path.stat().st_mode & 0o077 == 0, "what was said is nobody else's"
    now[0] += 300
    asyncio.run(used(sessions, "web"))
    del sessions  # as kill -9 does
    now[0] += 400
    again = Sessions(clock=lambda: 50.0)
    outlive("sessions", again, path)
    assert again.ids == ("web",), "the room's has expired"
    assert [e.said for e in again.view("web", "en").history] == ["I am web."] * 2


@pytest.mark.parametrize(
    "content", ["{", "[1]", '[{"id": "x", "used": "y"}]', '[{"id": "x", "used": 9e9, "history": [1]}]']
)
def test_a_file_that_is_none_of_ours(tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "sessions.json"
    path.write_text(content)
    sessions = Sessions()
    outlive("sessions", sessions, path)
    assert str(path) in caplog.text
    asyncio.run(used(sessions, "room"))
    assert "I am room." in path.read_text()
