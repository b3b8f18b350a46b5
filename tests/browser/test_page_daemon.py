"""The pages as the real daemon serves them."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import browser, mouth, page, picture, until
from daemons import Running
from web import free_port

pytestmark = pytest.mark.alone

TOKEN = "a-token-of-the-tests"


async def speaks(one: Any) -> list[float]:
    """How much the mouth moves from one screenshot to the next, until the face rests again."""
    await one.wait_for_selector(".stage[data-speech]")
    mouths = []
    while await one.locator(".stage[data-speech]").count():
        mouths.append(mouth(await picture(one, ".face")))
    return [float(np.abs(a - b).mean()) for a, b in itertools.pairwise(mouths)]


async def test_the_daemon_says_something_in_a_browser(tmp_path: Path) -> None:
    port = free_port()
    with Running(tmp_path, web=f"{{port: {port}, token: {TOKEN}}}") as daemon:
        async with browser() as chromium, page(chromium, f"http://127.0.0.1:{port}/control") as (desk, _):
            await desk.fill("#token", "wrong")
            await desk.keyboard.press("Enter")
            await desk.wait_for_selector("text=That is not the token.")
            await desk.fill("#token", TOKEN)
            await desk.keyboard.press("Enter")
            await desk.wait_for_selector("body[data-state=idle]")

            async with page(chromium, f"http://127.0.0.1:{port}/?token={TOKEN}") as (face, sight):
                await face.wait_for_selector(".ring[data-state=idle]")
                await until(face, "document.querySelector('.idle-film').currentTime > 0", 60)
                await desk.fill("#text", "Dinner is ready. Come and eat while it is warm.")
                await desk.keyboard.press("Enter")
                moved = await speaks(face)
                assert len(moved) > 2 and max(moved) > 2, moved
                assert sight.errors == []
                said = await desk.locator(".transcript .house p").all_inner_texts()
                assert said == ["Dinner is ready. Come and eat while it is warm."], said
                await until(desk, "document.querySelectorAll('.turns li').length === 1")
                assert await desk.locator(".log li").count() > 0

                # The film, encoded by the daemon.
                await face.goto(f"http://127.0.0.1:{port}/?stream=h264")
                await face.wait_for_selector(".ring[data-state=idle]")
                await desk.fill("#text", "And now once more as a film, please.")
                await desk.keyboard.press("Enter")
                await face.wait_for_selector("[data-speech=film]")
                await face.wait_for_selector(".stage:not([data-speech])")

                await asyncio.to_thread(daemon.end)
                await face.wait_for_selector(".ring[data-state=away]")


async def test_a_browser_talks_with_the_daemon(tmp_path: Path) -> None:
    port = free_port()
    with Running(tmp_path, web=f"{{port: {port}}}", conversation="{platform: scripted}"):
        async with browser() as chromium, page(chromium, f"http://127.0.0.1:{port}/talk") as (one, _):
            await one.wait_for_selector("body[data-state=idle]")
            await one.fill("#text", "what time is it")
            await one.click(".send")
            await one.wait_for_selector(".stage[data-speech]")
            await one.wait_for_selector(".stage:not([data-speech])")
            await one.locator(".talk").click()
            await one.wait_for_selector(".ring[data-state=listening]")
            await one.click(".badge")
            await one.wait_for_selector(".ring[data-state=idle]")
