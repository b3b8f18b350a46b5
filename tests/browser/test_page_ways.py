"""The room's page in a real Chromium: what it shows, and what it makes of trouble, at any speed."""

from __future__ import annotations

from browsing import browser, page, picture, room, until
from takes import film, spoken
from webhouse import house


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
