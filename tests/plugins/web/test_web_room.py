"""The room's page at a running daemon: what it is told, and the face as it is sent."""

from __future__ import annotations

import asyncio
import time

import cv2
import numpy as np
from web import Binary, configured, paged

from avatard.api.news import Touched

WORDS = "one two three four five. six seven eight nine ten."
"""Two sentences, two seconds."""


async def test_the_welcome_says_who_it_is_and_how_it_looks() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        welcome = await viewer.until("welcome")
        idle = welcome["idle"] or await viewer.until("idle")
        async with pages.session.get(pages.url + idle["still"]) as still, pages.session.get(
            pages.url + idle["film"]
        ) as film:
            picture, kind = await still.read(), still.headers["Content-Type"]
            cached, content = film.headers["Cache-Control"], await film.read()
    assert welcome.keys() >= {
        "title", "id", "language", "page", "version", "sound", "stream", "state", "muted", "volume", "face", "faces",
        "voice", "voices", "screen", "tier", "wake_phrases", "timers", "idle", "answer",
    }  # fmt: skip
    assert (welcome["title"], welcome["state"], welcome["stream"], welcome["sound"]) == ("test", "idle", "canvas", True)
    assert kind == "image/jpeg" and cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) is not None
    assert "immutable" in cached and content.startswith(b"mp4")  # the scripted encoder names its container


async def test_an_answer_is_sound_and_pictures_in_order() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        answer = await viewer.command("say", text=WORDS)
        turn = await viewer.until("turn")
    begin = next(t for t in viewer.texts if t["type"] == "begin")
    end = next(t for t in viewer.texts if t["type"] == "end")
    assert answer["ok"] and answer["turn"] == turn["turn"] and turn["source"] == "web" and not turn["error"]
    assert (begin["stream"], begin["fps"], begin["rate"], begin["follow"]) == ("canvas", 25, 48000, False)
    frames = viewer.binaries
    assert [f.kind for f in frames] == [1] * len(frames)
    assert [round(f.pts * 25) for f in frames] == list(range(round(end["duration"] * 25)))
    assert {len(f.sound) for f in frames} == {3840} and {f.answer for f in frames} == {begin["answer"]}
    sizes = {cv2.imdecode(np.frombuffer(f.data, np.uint8), cv2.IMREAD_COLOR).shape for f in frames}
    assert sizes == {(begin["height"], begin["width"], 3)}
    assert any(np.frombuffer(f.sound, np.int16).any() for f in frames)
    states = [t["state"] for t in viewer.texts if t["type"] == "state"]
    assert states == ["processing", "responding", "idle"]


async def test_each_sentence_is_told_just_before_its_first_frame() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        await viewer.command("say", text=WORDS)
        await viewer.until("end")
    told = [(i, m) for i, m in enumerate(viewer.order) if isinstance(m, dict) and m["type"] == "sentence"]
    assert [m["text"] for _, m in told] == ["one two three four five.", "six seven eight nine ten."]
    for place, message in told:
        after = next(m for m in viewer.order[place:] if isinstance(m, Binary))
        assert abs(after.pts - message["pts"]) < 0.002


async def test_frames_come_half_a_second_ahead_and_no_more() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        await viewer.send(type="say", id=1, text=WORDS)
        await viewer.until("begin")
        began, early = time.monotonic(), []
        while len(viewer.binaries) < 45:
            message = await viewer.read()
            if isinstance(message, Binary):
                early.append(message.pts - (time.monotonic() - began))
        await viewer.until("turn")
        took = time.monotonic() - began
    assert max(early) < 0.75, early
    assert took > 1.9, took  # real time: all of it was heard before it was over


async def test_who_comes_in_the_middle_sees_the_face_at_once() -> None:
    async with paged(configured()) as pages, pages.viewer() as first:
        await first.until("welcome")
        await first.send(type="say", id=1, text=WORDS)
        while not any(b.pts > 1.0 for b in first.binaries):
            await first.read()
        async with pages.viewer() as late:
            welcome = await late.until("welcome")
            await late.until("end")
        await first.until("end")
    assert welcome["answer"]["type"] == "begin" and welcome["answer"]["stream"] == "canvas"
    assert welcome["state"] == "responding"
    assert late.binaries[0].data and 0.3 < late.binaries[0].pts < 1.1, late.binaries[0].pts
    steps = np.diff([b.pts for b in late.binaries])
    assert np.allclose(steps, 0.04), steps
    assert late.binaries[-1].pts == first.binaries[-1].pts
    sentence = next(t for t in late.texts if t["type"] == "sentence")
    assert sentence["text"] in WORDS


async def test_stop_clears_all_at_once() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer, pages.viewer() as other:
        await viewer.until("welcome")
        await viewer.send(type="say", id=1, text=WORDS * 5)
        await viewer.until("begin")
        await viewer.command("stop", id=2)
        clear = next((t for t in viewer.texts if t["type"] == "clear"), None) or await viewer.until("clear")
        await other.until("clear")
        turn = await other.until("turn")
        count = len(other.binaries)
        await asyncio.sleep(0.2)
        assert (await other.command("volume", id=3, percent=50))["ok"]
    assert clear["answer"] == next(t for t in viewer.texts if t["type"] == "begin")["answer"]
    assert turn["interrupted"] and len(other.binaries) == count


async def test_nobody_looks_nothing_is_drawn_and_it_is_over_in_time() -> None:
    async with paged(configured()) as pages:
        began = time.monotonic()
        ticket = await pages.house.door.say("one two three four five")
        report = await ticket.finished
        assert not report.error and time.monotonic() - began >= 0.95
        assert pages.house.place.displays.pictures is False


async def test_what_the_browser_has_heard_counts() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        await viewer.send(type="say", id=1, text=WORDS)
        begin = await viewer.until("begin")
        # It says that it is behind: half a second into the answer it has heard nothing.
        for _ in range(5):
            await viewer.send(type="played", answer=begin["answer"], at=0.0)
            await asyncio.sleep(0.1)
        assert pages.house.place.displays.shown == 0.0
        await viewer.send(type="played", answer=begin["answer"], at=0.3)
        await asyncio.sleep(0.1)
        shown = pages.house.place.displays.shown
        assert 0.3 <= shown < 0.6, shown


async def test_the_room_sounds_where_a_speaker_does_not() -> None:
    quiet = configured(display={"platform": "none"}, web={"sound": False})
    async with paged(quiet) as pages, pages.viewer() as viewer:
        welcome = await viewer.until("welcome")
        await viewer.command("say", text="one two three four five")
        await viewer.until("end")
        begin = next(t for t in viewer.texts if t["type"] == "begin")
        positions = [t["at"] for t in viewer.texts if t["type"] == "position"]
    assert welcome["sound"] is False and begin["follow"] is True
    assert all(b.sound == b"" and b.data for b in viewer.binaries)
    assert len(positions) >= 5 and positions == sorted(positions) and positions[-1] > 0.5, positions


async def test_a_browser_that_wants_no_sound_follows() -> None:
    async with paged(configured()) as pages, pages.viewer(sound=False) as silent, pages.viewer() as loud:
        await silent.until("welcome")
        await silent.command("say", text="one two three four five")
        for viewer in (silent, loud):
            await viewer.until("end")
    assert next(t for t in silent.texts if t["type"] == "begin")["follow"]
    assert not next(t for t in loud.texts if t["type"] == "begin")["follow"]
    assert not any(b.sound for b in silent.binaries) and all(b.sound for b in loud.binaries)
    assert any(t["type"] == "position" for t in silent.texts)
    assert not any(t["type"] == "position" for t in loud.texts)


async def test_where_the_speaker_cannot_be_had_the_browsers_are_the_clock_and_sound() -> None:
    broken = {"platform": "speaker", "device": "there is no such card"}
    async with paged(configured(display=broken)) as pages, pages.viewer() as viewer:
        assert (await viewer.until("welcome"))["sound"] is False
        await viewer.command("say", text="one two three four five")
        turn = await viewer.until("turn")
    assert not turn["error"], turn
    assert not next(t for t in viewer.texts if t["type"] == "begin")["follow"]
    assert len(viewer.binaries) == 25 and all(b.sound for b in viewer.binaries)


async def test_an_announcement_s_own_volume_reaches_the_browser() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        await pages.house.door.say("one two", volume=30)
        await viewer.until("turn")
        assert (await viewer.command("volume", id=2, percent=60))["ok"]
        values = [t["value"] for t in viewer.texts if t["type"] == "setting" and t["name"] == "volume"]
        async with pages.viewer() as later:
            welcome = await later.until("welcome")
    assert values[:2] == [30, 100] and 60 in values and welcome["volume"] == 60


async def test_a_chime_is_two_messages() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer, pages.viewer(stream="none") as blind:
        await viewer.until("welcome")
        await blind.until("welcome")
        await pages.house.place.displays.chime(np.arange(4800, dtype=np.int16))
        await viewer.until("chime")
        chime = await viewer.read()
        await blind.command("volume", id=5, percent=50)
    assert isinstance(chime, Binary) and chime.kind == 3
    assert np.array_equal(np.frombuffer(chime.sound, np.int16), np.arange(4800)) and not blind.binaries


async def test_a_touch_is_news() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        with pages.foundation.feed.subscribe() as news:
            for _ in range(20):
                await viewer.send(type="touch")
            await viewer.command("volume", percent=70)
            touches = [event for event in news.waiting() if isinstance(event, Touched)]
    assert touches and touches[0].where == "web" and len(touches) <= 3


async def test_timers_are_told_when_they_change_only() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        assert (await viewer.command("timer", seconds=300, name="eggs"))["ok"]
        (timer,) = (await viewer.until("timers"))["timers"]
        assert timer["name"] == "eggs" and 290 < timer["seconds_left"] <= 300 and not timer["ringing"]
        await asyncio.sleep(2.2)
        assert (await viewer.command("cancel_timer", id=2, timer=timer["id"]))["ok"]
        assert (await viewer.until("timers"))["timers"] == []
        refused = await viewer.command("cancel_timer", id=3, timer=timer["id"])
    assert sum(t["type"] == "timers" for t in viewer.texts) == 2 and not refused["ok"]


async def test_commands_are_answered_and_wrong_ones_change_nothing() -> None:
    wrong = [
        ("say", {}, "text"), ("say", {"text": " . "}, "words"), ("say", {"text": 7}, "text"),
        ("volume", {"percent": 101}, "percent"), ("volume", {"percent": "9"}, "percent"), ("mute", {}, "on"),
        ("face", {"name": "nobody"}, "nobody"), ("voice", {"name": "nobody"}, "nobody"),
        ("screen", {"on": True}, "screen"),
        ("timer", {"seconds": -1}, "seconds"), ("timer", {"seconds": 1e99}, "seconds"), ("dance", {}, "dance"),
    ]  # fmt: skip
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        before = pages.house.door.status()
        for number, (do, more, says) in enumerate(wrong, 10):
            answer = await viewer.command(do, id=number, **more)
            assert answer["ok"] is False and says in answer["error"], (do, more, answer)
        after = pages.house.door.status()
        assert (before.volume, before.muted, before.timers) == (after.volume, after.muted, after.timers)
        assert (await viewer.command("mute", id=2, on=True))["ok"]
        assert pages.house.door.status().muted
        setting = next((t for t in viewer.texts if t["type"] == "setting"), None) or await viewer.until("setting")
    assert (setting["name"], setting["value"]) == ("mute", True)


async def test_idle_nothing_is_sent() -> None:
    async with paged(configured()) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        await asyncio.sleep(2.5)
        await viewer.command("volume", percent=100)
    kinds = {t["type"] for t in viewer.texts}
    assert kinds <= {"welcome", "idle", "answer", "setting", "engine", "health"}, viewer.texts
