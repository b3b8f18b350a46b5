"""The pages pass axe-core; contrast in the light and in the dark."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from browsing import page, room
from conftest import missing
from takes import spoken

SIZES = {"/": (1280, 800), "/talk": (390, 844), "/control": (390, 844), "/login": (390, 844)}
CONTRAST = {"runOnly": ["color-contrast"]}
THE_REST = {"rules": {"color-contrast": {"enabled": False}}}
"""It is the same in the dark."""
PLAIN = "*, ::before, ::after { background-image: none !important } canvas, video { visibility: hidden !important }"
"""axe-core judges no text before a gradient or a picture; our gradients end in the colour that lies behind them."""
ADD = "css => { const sheet = new CSSStyleSheet(); sheet.replaceSync(css); document.adoptedStyleSheets.push(sheet) }"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing(dark: bool) -> None:
    try:
        from axe_playwright_python.async_playwright import Axe
    except ImportError:
        missing("axe-playwright-python (pip install axe-playwright-python)")

    async def passed(one: Any, options: dict[str, Any], *where: str) -> dict[str, int]:
        """The rules that hold here, and for how many elements each."""
        found = (await Axe().run(one, options=options)).response
        said = [(v["id"], [(n["html"][:160], n["failureSummary"]) for n in v["nodes"]]) for v in found["violations"]]
        assert said == [], (*where, said)
        failed = [rule["message"] for rule in found["incomplete"] if "error" in rule]
        assert failed == [], (*where, failed)
        return {rule["id"]: len(rule["nodes"]) for rule in found["passes"]}

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
                if not dark:
                    assert len(await passed(one, THE_REST, path)) > 10
                await one.evaluate(ADD, PLAIN)
                for state in ("idle", "listening", "error") if path != "/login" else ("idle",):
                    await it.send("state", state=state)
                    if path == "/" and state == "listening":
                        await it.answer(1, spoken(), end=False, pace=False)
                    await asyncio.sleep(0.3)
                    if not dark and state != "idle":
                        assert len(await passed(one, THE_REST, path, state)) > 10
                    contrast = await passed(one, CONTRAST, path, state)
                    assert contrast["color-contrast"] >= 1, (path, state)
