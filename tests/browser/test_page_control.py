"""The page for a person at a desk or with a phone."""

from __future__ import annotations

import time
from typing import Any

import pytest
from browsing import picture, room, until

BAD = "<img src=x onerror=document.title='broken'>"


def turn(number: int, **fields: Any) -> dict[str, Any]:
    ms = {"speech_end_to_transcript": 200, "speech_end_to_first_token": 240, "speech_end_to_first_audio": 400,
          "speech_end_to_first_frame": 500, "total": 2000}  # fmt: skip
    return {"turn": number, "source": "microphone", "heard": "what time is it", "reply": "Ten past four.", "ms": ms,
            "interrupted": False, "error": ""} | fields  # fmt: skip


async def test_each_control_gives_its_command() -> None:
    async with room("/control", welcome={"screen": True}) as (it, one, sight):
        await one.fill("#text", "Dinner is ready")
        await one.click("button:text-is('Say')")
        await it.until("say", text="Dinner is ready")
        await until(one, "document.querySelector('#text').value === ''")
        await one.fill("#text", "What time is it?")
        await one.click("button:text-is('Ask')")
        await it.until("ask", text="What time is it?")
        await one.click("[data-command=listen]")
        await it.until("listen")
        await one.click("[data-command=stop]")
        await it.until("stop")
        await one.focus("#mute")
        await one.keyboard.press("Space")
        await it.until("mute", on=True)
        await one.focus("#screen")
        await one.keyboard.press("Space")
        await it.until("screen", on=False)
        await one.focus("#volume")
        await one.keyboard.press("ArrowRight")
        await it.until("volume", percent=61)
        await one.click(".faces label:nth-of-type(2)")
        await it.until("face", name="pear")
        await one.select_option("#voice", "de")
        await it.until("voice", name="de")
        await one.fill("#minutes", "1.5")
        await one.fill("#timer-name", "Eggs")
        await one.click("button:text-is('Start')")
        await it.until("timer", seconds=90, name="Eggs")
        await it.send("timers", timers=[{"id": 4, "name": "Eggs", "seconds_left": 90, "ringing": False}])
        await one.click("[aria-label='Cancel Eggs']")
        await it.until("cancel_timer", timer=4)
        assert it.told[0] | {"type": "hello", "page": "control", "stream": "none", "sound": False} == it.told[0]
        assert sight.errors == []


async def test_what_others_change_is_seen() -> None:
    async with room("/control") as (it, one, _):
        await it.send("setting", name="volume", value=25)
        await it.send("setting", name="mute", value=True)
        await it.send("setting", name="face", value="plum")
        await it.send("state", state="listening")
        await until(one, "document.querySelector('.volume output').textContent === '25 %'")
        assert await one.is_checked("#mute") and await one.is_checked("[name=face][value=plum]")
        assert await one.inner_text(".state span") == "Listening"
        assert await one.is_hidden("#has-screen")


async def test_a_written_question_stands_before_its_answer() -> None:
    async with room("/control") as (it, one, _):
        await it.send("reply_text", turn=3, text="Ten past four.")
        await it.send("turn", **turn(3, source="mqtt"))
        await it.send("transcribed", text="and tomorrow")
        await it.send("reply_text", turn=4, text="It rains.")
        await it.send("turn", **turn(4, heard="and tomorrow", reply="It rains."))
        await until(one, "document.querySelectorAll('.transcript li').length >= 4")
        said = await one.locator(".transcript p").all_inner_texts()
        assert said == ["what time is it", "Ten past four.", "and tomorrow", "It rains."], said


async def test_a_refusal_is_told() -> None:
    async with room("/control") as (it, one, _):
        it.refuse = "there are 16 timers already: cancel one first"
        await one.click("button:text-is('Start')")
        await one.wait_for_selector("[role=alert]:has-text('16 timers')")
        await one.fill("#text", "stays")
        await one.click("button:text-is('Say')")
        await one.wait_for_selector("[role=alert]")
        assert await one.input_value("#text") == "stays"


async def test_conversation_latency_memory_and_log() -> None:
    async with room("/control") as (it, one, sight):
        now = time.time()
        for index in range(10):
            report = {"memory_mb": 300 + index, "at_time": now - 300 + 30 * index}
            await it.send("health", budget_mb=600, tier="normal", fps=25, latency_ms=500, lag_ms=3, uptime_s=4000,
                          drops=0, temperature_c=None, stuck=[], **report)  # fmt: skip
        said_only = {"command_to_first_token": 1, "command_to_first_audio": 80, "command_to_first_frame": 120}
        await it.send("turn", past=True, **turn(0, heard="", reply="", source="mqtt", ms=said_only))
        await it.send("turn", past=True, **turn(1))
        await it.send("heard_partly", text=BAD)
        await it.send("transcribed", text=BAD)
        await it.send("reply_text", turn=2, text="It is ")
        await it.send("reply_text", turn=2, text=BAD)
        await it.send("turn", **turn(2, heard=BAD, reply="It is " + BAD))
        for level, text in (("info", "started"), ("warning", BAD), ("error", "the broker is gone")):
            await it.send("log", level=level, text=text, at=now)
        await it.send("problem", where="mqtt", what=BAD, over=False)
        await until(one, "document.querySelectorAll('.log li').length === 3")

        said = await one.locator(".transcript p").all_inner_texts()
        assert said == ["what time is it", "Ten past four.", BAD, "It is " + BAD], said
        bars = await one.locator(".turns li").count()
        label = await one.locator(".turns svg").first.get_attribute("aria-label")
        assert bars == 3 and "Understood: 200 ms" in label and "First picture with its sound: 100 ms" in label, label
        assert "309 MB of 600 MB" in await one.inner_text("#memory-words")
        curve = await one.locator(".memory .curve").get_attribute("points")
        assert len(curve.split()) == 10, curve
        await one.select_option("#level", "warning")
        assert await one.locator(".log li:visible").count() == 2
        await one.fill("#filter", "BROKER")
        assert await one.locator(".log li:visible").all_inner_texts() != []
        assert await one.locator(".log li:visible").count() == 1
        assert BAD in await one.inner_text(".problems")
        await it.send("problem", where="mqtt", what="", over=True)
        await one.wait_for_selector(".problems .fine")
        assert await one.title() == "Control · Kitchen" and sight.errors == []

        await it.close()
        await one.wait_for_selector("body[data-state=away]")
        it.told.clear()
        await it.open()
        await it.until("hello")
        await it.send("turn", past=True, **turn(1))
        await until(one, "document.querySelectorAll('.transcript li').length === 2")
        assert await one.locator(".turns li").count() == 1 and await one.locator(".log li").count() == 0


@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_it_fits(width: int) -> None:
    async with room("/control", size=(width, 740)) as (it, one, _):
        await it.send("turn", **turn(1, heard="a" * 300, reply="b" * 300))
        await it.send("problem", where="mqtt", what="c" * 200, over=False)
        await it.send("log", level="info", text="d" * 400, at=1.0)
        await until(one, "document.querySelectorAll('.log li').length === 1")
        wide = await one.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, wide
        small = await one.evaluate(
            "[...document.querySelectorAll('button, select, textarea, input[type=text]')].filter("
            "e => e.getBoundingClientRect().height > 0 && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)"
        )
        assert small == [], small
        assert (await picture(one)).std() > 5
