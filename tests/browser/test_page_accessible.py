"""The pages pass axe-core, light and dark."""

from __future__ import annotations

import asyncio

import pytest
from browsing import page, room
from conftest import missing
from takes import spoken

SIZES = {"/": (1280, 800), "/talk": (390, 844), "/control": (390, 844), "/login": (390, 844)}


@pytest.mark.parametrize("dark", [False, True])
async def test_axe_finds_nothing(dark: bool) -> None:
    try:
        from axe_core_python.async_playwright import Axe
    except ImportError:
        missing("axe-core-python (pip install axe-core-python)")
    async with room("/", dark=dark, still=True) as (it, first, _):
        chromium = first.context.browser
        for path, size in SIZES.items():
            async with page(chromium, it.url(path), size=size, dark=dark, still=True) as (one, _):
                if path != "/login":
                    await one.wait_for_selector("body:not([data-state=away])")
                await it.send("timers", timers=[{"id": 1, "name": "Tea", "seconds_left": 90, "ringing": False}])
                await it.send("transcribed", text="what time is it")
                await it.send("reply_text", turn=1, text="It is ten past four. Good appetite!")
                await it.send("problem", where="mqtt", what="no broker", over=False)
                await it.send("log", level="warning", text="no broker", at=1.0)
                for state in ("idle", "listening", "error") if path != "/login" else ("idle",):
                    await it.send("state", state=state)
                    if path == "/" and state == "listening":
                        await it.answer(1, spoken(), end=False, pace=False)
                    await asyncio.sleep(0.3)
                    found = await Axe().run(one, options={"resultTypes": ["violations"]})
                    said = [(v["id"], [n["html"][:160] for n in v["nodes"]]) for v in found["violations"]]
                    assert said == [], (path, state, said)
                    assert len(found["passes"]) > 10
