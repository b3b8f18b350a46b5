"""A real Chromium without a window, for the tests of the pages."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from conftest import missing
from takes import film
from webhouse import House, house

ARGUMENTS = [
    "--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
shared: list[Any] = []
"""The browser of all tests of a file, while they run."""
PROBE = """
window.seen = [];
window.avatardProbe = (picture) => window.seen.push({...picture, wall: performance.timeOrigin + performance.now()});
"""


@dataclass(slots=True)
class Sight:
    """What went wrong or abroad in the browser."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@asynccontextmanager
async def browser(*arguments: str, sound: bool = True) -> AsyncIterator[Any]:
    """Give Chromium, that of all tests or one of its own; without ``sound`` it waits for a touch, as people's do."""
    if shared and sound and not arguments:
        yield shared[0]
        return
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        missing("playwright (pip install playwright)")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        missing("chromium (apt install chromium)")
    wanted = [argument for argument in ARGUMENTS if sound or "autoplay" not in argument]
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=[*wanted, *arguments])
        try:
            yield chromium
        finally:
            await chromium.close()


@asynccontextmanager
async def page(chromium: Any, url: str, *, size: tuple[int, int] = (800, 480), dark: bool = False, still: bool = False,
               phone: bool = False) -> AsyncIterator[tuple[Any, Sight]]:  # fmt: skip
    """Open a page of its own; what goes wrong in it is gathered."""
    context = await chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light", has_touch=phone,
        reduced_motion="reduce" if still else "no-preference", permissions=["microphone"],
    )  # fmt: skip
    sight = Sight()
    one = await context.new_page()
    one.on("console", lambda m: m.type in ("error", "warning") and sight.errors.append(f"{m.type}: {m.text}"))
    one.on("pageerror", lambda error: sight.errors.append(str(error)))
    one.on("request", lambda request: sight.requests.append(request.url))
    await one.add_init_script(PROBE)
    try:
        await one.goto(url)
        yield one, sight
    finally:
        await context.close()


@asynccontextmanager
async def room(
    path: str = "/", *, welcome: dict[str, Any] | None = None, **how: Any
) -> AsyncIterator[tuple[House, Any, Sight]]:
    """A house, a browser, and a page that has been let in."""
    made, still = film()
    async with house(film=made, still=still, welcome=welcome or {}) as it, browser() as chromium:
        async with page(chromium, it.url(path), **how) as (one, sight):
            await it.until("hello")
            await one.wait_for_selector("body:not([data-state=away])")
            yield it, one, sight


async def picture(one: Any, selector: str = "body", keep: Path | None = None) -> np.ndarray:
    """What is seen of an element."""
    data = await one.locator(selector).first.screenshot(animations="allow")
    if keep is not None:
        keep.write_bytes(data)
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    return seen


def mouth(seen: np.ndarray) -> np.ndarray:
    """The mouth's part of a picture of the face."""
    high, wide = seen.shape[:2]
    return seen[round(0.6 * high) : round(0.76 * high), round(0.36 * wide) : round(0.64 * wide)].astype(np.float32)


async def until(one: Any, script: str, seconds: float = 20) -> None:
    """Wait until this is true in the page (whose policy forbids the waiting that playwright does in it)."""
    async with asyncio.timeout(seconds):
        while not await one.evaluate(script):
            await asyncio.sleep(0.02)
