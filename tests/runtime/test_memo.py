"""Settings outlive a restart; a spoilt file does no harm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from avatard.api.news import SettingChanged
from avatard.runtime.config import Configuration
from avatard.runtime.feed import Feed
from avatard.runtime.house import open_house
from avatard.runtime.memo import read_settings, remember, write_json
from avatard.talk.settings import Settings


async def test_they_are_written_when_they_change(tmp_path: Path) -> None:
    feed, settings, path = Feed(), Settings(), tmp_path / "state" / "settings.json"
    job = asyncio.create_task(remember(feed, settings, path))
    await asyncio.sleep(0)
    settings.muted, settings.volume, settings.voice = True, 35, "en-gb+f2"
    feed.publish(SettingChanged("volume", 35))
    for _ in range(100):
        await asyncio.sleep(0.01)
        if path.exists():
            break
    job.cancel()
    assert read_settings(path) == Settings(True, 35, "en-gb+f2")
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]


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
