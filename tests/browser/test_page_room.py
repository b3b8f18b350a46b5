"""The room's page in a real Chromium."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pytest
from browsing import browser, mouth, page, picture, room, until
from takes import SENTENCES, film, spoken
from webhouse import house

pytestmark = pytest.mark.alone


async def test_the_face_speaks_and_comes_to_rest() -> None:
    async with room() as (it, one, sight):
        await until(one, "document.querySelector('.idle-film').currentTime > 0.1")
        idle = await picture(one, ".face")
        assert await one.evaluate("getComputedStyle(document.querySelector('.speech')).opacity") == "0"

        await it.send("state", state="listening")
        await one.wait_for_selector(".ring[data-state=listening]")
        assert await one.inner_text(".badge .word") == "Listening"

        await it.send("state", state="responding")
        speaking = asyncio.create_task(it.answer(1, spoken()))
        await one.wait_for_selector("[data-speech=canvas]")
        mouths = []
        while not speaking.done():
            seen = await picture(one, ".face")
            assert seen.mean() > 60, "no black at any time"
            mouths.append(mouth(seen))
        await speaking
        moved = [float(np.abs(a - b).mean()) for a, b in itertools.pairwise(mouths)]
        assert len(moved) > 2 and max(moved) > 6, moved
        assert float(np.abs(mouth(idle) - mouths[len(mouths) // 2]).mean()) > 1

        await one.wait_for_selector(".stage:not([data-speech])")
        await until(one, "getComputedStyle(document.querySelector('.speech')).opacity === '0'")
        await until(one, "!document.querySelector('.idle-film').paused")
        assert sight.errors == []


async def test_the_position_advances_and_is_reported() -> None:
    async with room() as (it, one, _):
        await it.answer(3, spoken())
        last = await it.until("played", answer=3, at=3.6)
        told = [m["at"] for m in it.told if m["type"] == "played"]
        assert told == sorted(told) and len(told) > 5 and last["at"] == told[-1], told
        seen = await one.evaluate("window.seen")
        drawn = [picture["pts"] for picture in seen]
        assert drawn == sorted(set(drawn)) and drawn[-1] > 3, drawn
        early = [p for p in seen if p["pts"] > p["at"] + 0.009]
        assert not early, early


async def test_subtitles_are_those_of_the_sentence_that_is_heard() -> None:
    async with room() as (it, one, _):
        await one.evaluate(
            """() => {
              window.said = [];
              const said = document.querySelector('.said');
              new MutationObserver(() => window.said.push([said.textContent, window.seen.at(-1)?.pts ?? 0]))
                .observe(said, {childList: true, characterData: true, subtree: true});
            }"""
        )
        whole = " ".join(text for _, text in SENTENCES)
        await it.send("transcribed", text="what time is it")
        await it.send("reply_text", turn=5, text=whole)
        await until(one, "document.querySelector('.coming').textContent.startsWith('It is ten')")
        await it.answer(5, spoken())
        await it.until("played", answer=5, at=3.6)
        said = [(text, pts) for text, pts in await one.evaluate("window.said") if text]
        assert [text for text, _ in said] == [text for _, text in SENTENCES], said
        for (_, pts), (wanted, _) in zip(said, SENTENCES, strict=True):
            assert -0.05 < pts - wanted < 0.3, said
        assert await one.inner_text(".heard") == "what time is it"


async def test_clear_is_silence_and_rest_at_once() -> None:
    async with room() as (it, one, _):
        await it.answer(1, spoken(), end=False, pace=False)
        await one.wait_for_selector("[data-speech=canvas]")
        await it.send("clear", answer=1)
        await one.wait_for_selector(".stage:not([data-speech])")
        told = len([m for m in it.told if m["type"] == "played"])
        before = await one.evaluate("window.seen.length")
        await asyncio.sleep(0.5)
        assert await one.evaluate("window.seen.length") == before
        assert len([m for m in it.told if m["type"] == "played"]) <= told + 1


async def test_pictures_follow_another_displays_clock() -> None:
    async with room(welcome={"sound": False}) as (it, one, _):
        await it.answer(2, spoken(), follow=True)
        await one.wait_for_selector(".stage:not([data-speech])")
        seen = await one.evaluate("window.seen")
        assert len(seen) > 10 and seen[-1]["pts"] > 2, seen[-1:]
        assert not [m for m in it.told if m["type"] == "played"]
        assert await one.is_hidden(".hint")


async def test_it_mends_itself_and_loads_itself_again_after_a_change() -> None:
    async with room() as (it, one, _):
        await one.evaluate("window.before = true")
        await it.close()
        await one.wait_for_selector(".ring[data-state=away]")
        assert await one.inner_text(".badge .word") == "Looking for avatard"
        it.told.clear()
        await it.open()
        await it.until("hello")
        await one.wait_for_selector(".ring[data-state=idle]")
        assert await one.evaluate("window.before"), "the same version is not loaded again"
        await it.answer(9, spoken())
        await it.until("played", answer=9, at=3.6)

        await it.close()
        it.welcome["version"] = "0.2.0"
        async with one.expect_navigation():
            await it.open()
        assert await one.evaluate("window.before === undefined")
        await one.wait_for_selector(".ring[data-state=idle]")


async def test_it_finishes_an_answer_whose_end_was_lost() -> None:
    async with room() as (it, one, _):
        await it.answer(1, spoken(), end=False)
        await it.close()
        await one.wait_for_selector(".stage:not([data-speech])")


async def test_whoever_comes_late_sees_the_face() -> None:
    take = spoken()
    begin = {"type": "begin", "answer": 4, "width": 256, "height": 256, "fps": 25, "rate": 48000, "stream": "canvas"}
    async with room(welcome={"answer": begin | {"follow": False}, "state": "responding"}) as (it, one, _):
        from webhouse import frame

        for index in range(50, 75):
            await it.send_bytes(frame(4, index, take.jpegs[index], take.sounds[index]))
        await it.send("end", answer=4, duration=3.0)
        await it.until("played", answer=4, at=3.0)
        seen = await one.evaluate("window.seen")
        assert seen[0]["pts"] >= 2.0 and seen[-1]["pts"] >= 2.8, (seen[0], seen[-1])


async def test_a_silent_face_that_comes_after_the_first_answer_takes_its_place() -> None:
    async with room(welcome={"idle": None}) as (it, one, _):
        await it.answer(1, spoken())
        await it.until("played", answer=1, at=3.6)
        assert await one.get_attribute(".stage", "data-speech") == "canvas", "without one the last picture stays"
        await it.send("idle", film="/idle/k.mp4", still="/idle/k.jpg")
        await one.wait_for_selector(".stage:not([data-speech])")


async def test_what_others_wrote_is_text() -> None:
    bad = "<img src=x onerror=document.title='broken'><b>bold</b>"
    async with room() as (it, one, sight):
        await it.send("heard_partly", text=bad)
        await it.send("transcribed", text=bad)
        await it.send("reply_text", turn=1, text=bad)
        await it.send("timers", timers=[{"id": 1, "name": bad, "seconds_left": 90, "ringing": False}])
        await it.send("problem", where="x", what=bad, over=False)
        await one.wait_for_selector(".notices p")
        assert await one.inner_text(".heard") == bad
        assert await one.evaluate("document.querySelectorAll('.panel img, .panel b, .notices img').length") == 0
        assert await one.title() == "Kitchen"
        assert sight.errors == []


async def test_timers_count_down_and_ring() -> None:
    async with room() as (it, one, _):
        await it.send("timers", timers=[{"id": 1, "name": "Tea", "seconds_left": 63.0, "ringing": False}])
        await until(one, "document.querySelector('.timer .left').textContent === '1:02'")
        await it.send("timers", timers=[{"id": 1, "name": "Tea", "seconds_left": 0, "ringing": True}])
        await one.wait_for_selector(".timer.ringing")
        await one.click(".badge")
        await it.until("stop")
        await it.send("timers", timers=[])
        await one.wait_for_selector(".timers", state="hidden")


async def test_the_screen_goes_black_and_a_touch_is_told() -> None:
    async with room() as (it, one, _):
        await it.send("setting", name="screen", value=False)
        await until(one, "getComputedStyle(document.querySelector('.blackout')).opacity === '1'")
        assert (await picture(one)).max() < 3
        await one.mouse.click(200, 200)
        await it.until("touch")
        assert not [m for m in it.told if m["type"] in ("listen", "stop")], "a touch in the dark only wakes"
        await it.send("setting", name="screen", value=True)
        await until(one, "getComputedStyle(document.querySelector('.blackout')).visibility === 'hidden'")
        assert (await picture(one)).mean() > 60


async def test_a_refusal_is_shown() -> None:
    async with room() as (it, one, _):
        it.refuse = "the queue is full"
        await one.click(".badge")
        await one.wait_for_selector("text=the queue is full")


async def test_a_browser_that_allows_no_sound_asks_for_a_tap() -> None:
    made, still = film()
    async with house(film=made, still=still) as it, browser(sound=False) as chromium:
        async with page(chromium, it.url()) as (one, _):
            await one.wait_for_selector(".hint:not([hidden])")
            await it.answer(1, spoken())
            await it.until("played", answer=1, at=3.6)
            assert len(await one.evaluate("window.seen")) > 10, "the pictures are shown all the same"
            await one.mouse.click(100, 300)
            await one.wait_for_selector(".hint", state="hidden")


async def test_nothing_comes_from_elsewhere() -> None:
    async with room() as (it, one, sight):
        await it.answer(1, spoken())
        for path in ("/talk", "/control", "/login"):
            await one.goto(it.url(path))
            await one.wait_for_timeout(400)
        abroad = [url for url in sight.requests if not url.startswith((it.url(""), "blob:" + it.url("")))]
        assert abroad == [] and sight.errors == []


async def test_it_speaks_the_houses_language() -> None:
    async with room(welcome={"language": "de"}) as (it, one, _):
        await it.send("state", state="listening")
        await one.wait_for_selector(".ring[data-state=listening]")
        assert await one.inner_text(".badge .word") == "Ich höre zu"
        clock, date = await one.inner_text(".rest time"), await one.inner_text(".rest .date")
        assert "M" not in clock and date.split(",")[0].endswith(("tag", "woch")), (clock, date)


async def test_whoever_wants_less_motion_sees_the_still_at_rest() -> None:
    async with room(still=True) as (it, one, _):
        assert await one.evaluate("document.querySelector('.idle-film').getAttribute('src')") is None
        await it.answer(1, spoken())
        await it.until("played", answer=1, at=3.6)
        await one.wait_for_selector(".stage:not([data-speech])")
        assert (await picture(one, ".face")).mean() > 60
