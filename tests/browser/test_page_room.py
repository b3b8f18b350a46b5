"""The room's page in a real Chromium: what keeps time."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pytest
from browsing import mouth, picture, room, until
from takes import SENTENCES, spoken

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
