"""Flash and click: how far apart a picture and its sound come out, measured in the browser by its own means."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from browsing import browser, page
from takes import film, flashes
from webhouse import House, house

pytestmark = pytest.mark.alone

WATCH = """
window.flashes = []; window.clicks = [];
const eye = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
const draw = CanvasRenderingContext2D.prototype.drawImage;
let bright = false;
CanvasRenderingContext2D.prototype.drawImage = function (picture, ...rest) {
  draw.call(this, picture, ...rest);
  if (this.canvas.className !== "speech") return;
  eye.drawImage(picture, 0, 0, 1, 1);
  const white = eye.getImageData(0, 0, 1, 1).data[0] > 128;
  if (white && !bright) window.flashes.push(performance.now());
  bright = white;
};
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when) {
  start.call(this, when);
  window.context = this.context;
  if (this.buffer.getChannelData(0)[0] > 0.5) window.clicks.push(when);
};
// The time of the sound that leaves the device, as the browser tells it, over and over.
window.heard = [];
setInterval(() => {
  const stamp = window.context?.getOutputTimestamp();
  if (stamp?.contextTime > 0) window.heard.push([stamp.contextTime, stamp.performanceTime / 1000]);
}, 50);
"""


async def apart(it: House, one: Any, seconds: float) -> dict[str, Any]:
    """How long after its click each flash was drawn, seconds."""
    await it.answer(1, flashes(seconds))
    await it.until("played", answer=1, at=seconds)
    await asyncio.sleep(0.3)
    flashed, clicks, heard = await one.evaluate("[window.flashes, window.clicks, window.heard]")
    context, wall = np.array(heard).T
    offset = np.array([np.median((wall - context)[np.abs(context - click) < 1.0]) for click in clicks])
    ears, eyes = np.array(clicks) + offset, np.array(flashed) / 1000
    pairs = [eyes[np.abs(eyes - ear).argmin()] - ear for ear in ears]
    off = np.array(pairs)
    seen = np.abs(off) < 0.5
    return {"clicks": len(clicks), "flashes": len(flashed), "off": off[seen], "at": (ears - ears[0])[seen]}


async def measured(seconds: float) -> dict[str, Any]:
    made, still = film()
    async with house(film=made, still=still) as it, browser() as chromium:
        async with page(chromium, "about:blank", size=(640, 400)) as (one, _):
            await one.add_init_script(WATCH)
            await one.goto(it.url())
            await one.wait_for_selector("body[data-state=idle]")
            await asyncio.sleep(1)
            return await apart(it, one, seconds)


def report(found: dict[str, Any]) -> dict[str, Any]:
    off = 1000 * found["off"]
    return {
        "clicks": found["clicks"], "flashes": found["flashes"], "p50_ms": round(float(np.median(off)), 1),
        "p95_ms": round(float(np.percentile(np.abs(off), 95)), 1), "worst_ms": round(float(np.abs(off).max()), 1),
        "drift_ms": round(float(np.polyfit(found["at"], off, 1)[0] * found["at"][-1]), 1),
    }  # fmt: skip


async def test_flash_and_click_belong_together() -> None:
    found = await measured(8)
    assert found["clicks"] == 8, report(found)
    # A picture that the machine was too slow for is dropped; those that are drawn are drawn with their sound.
    assert len(found["off"]) >= 4, report(found)
    assert abs(float(np.median(found["off"]))) < 0.06, report(found)


@pytest.mark.long
async def test_flash_and_click_over_ten_minutes() -> None:
    found = await measured(600)
    print(json.dumps(report(found)))
    assert len(found["off"]) > 500, report(found)
    assert report(found)["p95_ms"] <= 40, report(found)
    assert abs(report(found)["drift_ms"]) < 15, report(found)
