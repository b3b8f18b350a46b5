"""Browsers that talk: each in a place of its own, with its own microphone, turn and stream."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from web import Pages, Viewer, configured, paged

from avatard.api.flow import AudioFrame
from avatard.plugins.scripted.code import written
from avatard.plugins.web.microphone import FRAME, KEPT, BrowserMicrophone

SILENCE = bytes(2 * 512)


async def speak(viewer: Viewer, text: str, after: float = 1.0) -> None:
    """Say something into the browser's microphone, for the scripted ears."""
    for _ in range(10):
        await viewer.ws.send_bytes(written("speech", text).astype("<i2").tobytes())
    await hush(viewer, after)


async def hush(viewer: Viewer, seconds: float) -> None:
    for _ in range(int(seconds / 0.032)):
        await viewer.ws.send_bytes(SILENCE)
        await asyncio.sleep(0.008)


async def test_a_question_is_heard_and_answered_in_the_browser_alone() -> None:
    async with paged(configured()) as pages, pages.viewer() as room, pages.viewer(page="talk") as visitor:
        await room.until("welcome")
        assert (await visitor.until("welcome"))["page"] == "talk"
        await visitor.send(type="talk", on=True)
        await hush(visitor, 0.3)
        await speak(visitor, "hello", after=0.2)
        await visitor.send(type="talk", on=False)  # no more sound comes: the request comes to its end all the same
        turn = await visitor.until("turn")
        await room.command("volume", percent=80)
    assert (turn["heard"], turn["reply"], turn["source"]) == ("hello", "You said: hello.", "web")
    assert next(t for t in visitor.texts if t["type"] == "transcribed")["text"] == "hello"
    frames = [b for b in visitor.binaries if b.kind == 1]
    assert frames and all(b.sound and b.data for b in frames)
    assert next(t for t in visitor.texts if t["type"] == "begin")["follow"] is False
    assert not room.binaries and not [t for t in room.texts if t["type"] in ("state", "transcribed", "begin")]


async def test_a_wake_word_is_heard_in_the_browser() -> None:
    async with paged(configured()) as pages, pages.viewer(page="talk") as visitor:
        await visitor.until("welcome")
        await hush(visitor, 0.3)
        await visitor.ws.send_bytes(written("wake", "okay_nabu").astype("<i2").tobytes())
        await hush(visitor, 0.2)
        await speak(visitor, "what time is it", after=1.5)
        wake = next((t for t in visitor.texts if t["type"] == "wake"), None) or await visitor.until("wake")
        turn = await visitor.until("turn")
    assert wake["phrase"] == "okay_nabu" and turn["heard"] == "what time is it"


async def test_two_visitors_and_the_room_speak_at_once() -> None:
    async with paged(configured()) as pages:
        async with pages.viewer() as room, pages.viewer(page="talk") as one, pages.viewer(page="talk") as two:
            for viewer in (room, one, two):
                await viewer.until("welcome")
            await room.send(type="say", id=1, text="one two three four five six")
            await one.send(type="ask", id=1, text="one")
            await two.send(type="ask", id=1, text="two")
            turns = await asyncio.gather(*(viewer.until("turn") for viewer in (one, two)))
            await room.until(lambda m: m["type"] == "turn" and m["reply"].startswith("one two"))
    assert [t["heard"] for t in turns] == ["one", "two"] and not any(t["error"] for t in turns)
    answers = [{b.answer for b in viewer.binaries} for viewer in (room, one, two)]
    assert all(len(a) == 1 for a in answers) and len(set.union(*answers)) == 3
    for viewer in (room, one, two):
        assert np.allclose(np.diff([b.pts for b in viewer.binaries]), 0.04)
        assert not viewer.texts[-1].get("error")


async def test_volume_and_stop_concern_the_visitor_alone() -> None:
    async with paged(configured()) as pages, pages.viewer(page="talk") as visitor:
        await visitor.until("welcome")
        assert (await visitor.command("volume", percent=20))["ok"]
        assert pages.house.door.status().volume == 100
        await visitor.send(type="say", id=2, text="one two three four five six seven eight nine ten")
        await visitor.until("begin")
        assert (await visitor.command("stop", id=3))["ok"]
        if not any(t["type"] == "clear" for t in visitor.texts):
            await visitor.until("clear")
        assert 20 in [t["value"] for t in visitor.texts if t["type"] == "setting" and t["name"] == "volume"]


async def test_one_too_many_is_told_and_comes_in_when_another_leaves() -> None:
    async with paged(configured(web={"talk": {"limit": 2}})) as pages:
        async with pages.viewer(page="talk") as one, pages.viewer(page="talk") as two:
            await one.until("welcome")
            await two.until("welcome")
            async with pages.viewer(page="talk") as three:
                code, reason = await three.end()
                assert code == 4429 and "2 talk already" in reason
            await one.ws.close()
            await asyncio.sleep(0.2)
            async with pages.viewer(page="talk") as four:
                assert (await four.until("welcome"))["page"] == "talk"


async def test_talking_can_be_switched_off() -> None:
    async with paged(configured(web={"talk": {"enabled": False}})) as pages:
        async with pages.viewer(page="talk") as one:
            assert (await one.end())[0] == 4429
        async with pages.session.get(f"{pages.url}/talk") as answer:
            assert answer.status == 404


async def test_who_leaves_in_the_middle_takes_his_turn_with_him() -> None:
    async with paged(configured()) as pages:
        with pages.foundation.feed.subscribe() as news:
            async with pages.viewer(page="talk") as visitor:
                await visitor.until("welcome")
                await visitor.send(type="say", id=1, text="one two three four five six seven eight nine ten")
                await visitor.until("begin")
                assert any(t.get_name().startswith("web 1") for t in asyncio.all_tasks())
            async with asyncio.timeout(5):
                while not any(type(e).__name__ == "TurnFinished" and e.report.interrupted for e in news.waiting()):
                    await asyncio.sleep(0.02)
                while [t for t in asyncio.all_tasks() if t.get_name().startswith("web 1")]:
                    await asyncio.sleep(0.02)


async def test_a_visitor_whose_line_is_dead_is_dropped_with_his_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatard.plugins.web.reception.HEARTBEAT", 0.4)
    async with paged(configured()) as pages:
        async with pages.session.ws_connect(f"{pages.url}/ws", autoping=False) as ws:
            await ws.send_json({"type": "hello", "page": "talk"})
            await ws.send_json({"type": "say", "id": 1, "text": "one two three four five six seven eight nine ten"})
            async with asyncio.timeout(10):
                while (await clients(pages))["talk"] != 1:
                    await asyncio.sleep(0.02)
                while (await clients(pages))["talk"]:  # it answers no ping
                    await asyncio.sleep(0.05)
                while [t for t in asyncio.all_tasks() if t.get_name().startswith("web 1")]:
                    await asyncio.sleep(0.02)


async def clients(pages: Pages) -> dict[str, int]:
    async with pages.session.get(f"{pages.url}/api/status") as answer:
        counts: dict[str, int] = (await answer.json())["clients"]
        return counts


async def test_the_session_is_the_browser_s(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = []
    async with paged(configured()) as pages:
        ask = pages.foundation.sessions.admit

        async def admit(name: str) -> Any:
            sessions.append(name)
            return await ask(name)

        monkeypatch.setattr(pages.foundation.sessions, "admit", admit)
        jars = [aiohttp.CookieJar(unsafe=True), aiohttp.CookieJar(unsafe=True)]
        for jar in (jars[0], jars[0], jars[1]):
            async with aiohttp.ClientSession(cookie_jar=jar) as browser:
                async with browser.get(f"{pages.url}/talk") as page:
                    await page.read()
                async with browser.ws_connect(f"{pages.url}/ws") as ws:
                    await ws.send_json({"type": "hello", "page": "talk"})
                    visitor = Viewer(ws)
                    await visitor.until("welcome")
                    await visitor.command("ask", text="hello")
                    await visitor.until("turn")
    assert len(sessions) >= 3 and len(set(sessions)) == 2 and all(name.startswith("web-") for name in sessions)
    assert sessions[0] == sessions[len(sessions) // 2] != sessions[-1], sessions


@pytest.mark.parametrize("data", [b"x", b"", b"\x00" * 16385, b"\x00" * 16386])
async def test_what_is_no_sound_ends_the_visit(data: bytes) -> None:
    async with paged(configured()) as pages, pages.viewer(page="talk") as visitor:
        await visitor.until("welcome")
        await visitor.ws.send_bytes(data)
        code, reason = await visitor.end()
        assert code == 1003 and str(len(data)) in reason


async def test_a_visitor_is_sent_away_while_the_daemon_starts() -> None:
    async with paged(configured()) as pages:
        await pages.foundation.visit.close()
        async with pages.viewer(page="talk") as visitor:
            code, reason = await visitor.end()
        assert code == 1013 and "starting" in reason


async def test_who_is_there_when_the_house_closes_may_come_back() -> None:
    async with paged(configured()) as pages, pages.viewer(page="talk") as visitor:
        await visitor.until("welcome")
        await asyncio.gather(pages.foundation.visit.close(), visitor.end())
        assert visitor.ws.close_code == 1013


async def test_a_real_question_over_the_socket(recordings: Path) -> None:
    """Silero and pocketsphinx hear a person in the browser."""
    real = {"vad": {"platform": "silero"}, "stt": {"platform": "pocketsphinx"}, "conversation": {"platform": "intents"}}
    with wave.open(str(recordings / "turn_on_the_office_lights_01.wav")) as file:
        assert (file.getframerate(), file.getnchannels()) == (16000, 1)
        sound = file.readframes(file.getnframes())
    async with paged(configured(**real)) as pages, pages.viewer(page="talk") as visitor:
        await visitor.until("welcome")
        await visitor.send(type="talk", on=True)
        for at in range(0, len(sound), 2000):
            await visitor.ws.send_bytes(sound[at : at + 2000])
            await asyncio.sleep(0.03)
        await visitor.send(type="talk", on=False)
        heard = (await visitor.until("transcribed", 40))["text"]
    assert "lights" in heard, heard


# The microphone.


async def heard(microphone: BrowserMicrophone, count: int) -> list[AudioFrame]:
    frames: AsyncIterator[AudioFrame] = microphone.frames()
    return [await anext(frames) for _ in range(count)]


async def test_the_microphone_is_sample_exact_however_it_comes() -> None:
    microphone = BrowserMicrophone()
    sound = np.arange(FRAME * 6 + 100, dtype=np.int16)
    for at in range(0, len(sound), 321):
        microphone.feed(sound[at : at + 321].astype("<i2").tobytes())
    frames = await heard(microphone, 6)
    assert np.array_equal(np.concatenate([f.samples for f in frames]), sound[: FRAME * 6])
    assert [f.at for f in frames] == [n * FRAME / 16000 for n in range(6)] and {f.rate for f in frames} == {16000}


async def test_the_oldest_sound_goes_and_the_place_in_the_stream_is_kept() -> None:
    microphone = BrowserMicrophone()
    total = KEPT + 5000
    for at in range(0, total, 1000):
        microphone.feed(np.full(1000, at // 1000, "<i2").tobytes())
    (frame,) = await heard(microphone, 1)
    assert microphone.dropped == 5000 and frame.at == 5000 / 16000
    assert frame.samples[0] == 5


def test_it_refuses_what_is_no_sound() -> None:
    microphone = BrowserMicrophone()
    for data in (b"", b"x", b"\0" * 16385, b"\0" * 16386):
        with pytest.raises(ValueError, match="bytes"):
            microphone.feed(data)
