"""Settings outlive a restart; a spoilt file does no harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from avatard.runtime.config import Configuration
from avatard.runtime.feed import Feed
from avatard.runtime.house import open_house
from avatard.runtime.memo import read_settings, settings_outlive, write_json
from avatard.talk.orders import Orders
from avatard.talk.settings import Settings


async def test_they_are_written_before_their_sender_is_told(tmp_path: Path) -> None:
    path = tmp_path / "state" / "settings.json"
    orders = Orders(Feed(), "")
    settings_outlive(orders, path)
    await orders.mute(True)
    assert read_settings(path) == Settings(muted=True)
    await orders.set_volume(35)
    assert read_settings(path) == Settings(muted=True, volume=35)
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]
    again = Orders(Feed(), "")
    settings_outlive(again, path)
    assert (again.settings.muted, again.settings.volume) == (True, 35)


async def test_a_full_disk_mutes_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (blocked := tmp_path / "a file").write_text("")
    orders = Orders(Feed(), "")
    settings_outlive(orders, blocked / "settings.json")
    await orders.mute(True)
    assert orders.settings.muted and "outlive" in caplog.text


@pytest.mark.parametrize("data", [b"", b"[]", b'{"volume": 300}', b'{"volume": "loud"}', b'{"muted": 1}', b"\xff",
                                  b"[" * 9000])  # fmt: skip
def test_a_spoilt_file_is_as_good_as_none(tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(data)
    assert read_settings(path) == Settings()
    assert str(path) in caplog.text


def test_a_later_version_may_have_written_more(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"volume": 20, "mood": "fine"}))
    assert read_settings(path) == Settings(volume=20)


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


async def test_a_choice_stands_until_another_one_is_configured(scripted: Callable[..., Configuration]) -> None:
    async def voice(settings: Settings, *voices: str) -> str:
        async with open_house(scripted(tts={"platform": "scripted", "voices": list(voices)})) as house:
            house.door.settings = settings
            assert house.door.household is not None
            await house.door.move_in(house.door.household)
            return house.door.status().voice

    async with open_house(scripted(tts={"platform": "scripted", "voices": ["anna", "bert", "carl"]})) as house:
        await house.door.set_voice("bert")
        await house.door.set_voice("carl")
        chosen = house.door.settings
    assert (chosen.voice, chosen.voice_instead) == ("carl", "anna")
    assert await voice(chosen, "anna", "bert", "carl") == "carl"
    assert await voice(chosen, "bert", "anna", "carl") == "bert"
    assert await voice(chosen, "anna", "bert") == "anna"
