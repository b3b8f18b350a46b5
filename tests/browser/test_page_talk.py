"""The page that talks, with a microphone of its own, in a real Chromium."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest
from browsing import browser, page, room, until
from takes import film
from webhouse import House, house

pytestmark = pytest.mark.pair


async def heard(it: House, seconds: float) -> np.ndarray:
    """The sound that came from the page, once there is so much of it."""
    async with asyncio.timeout(20):
        while len(it.bytes) < seconds * 32_000:
            await asyncio.sleep(0.02)
    return np.frombuffer(bytes(it.bytes), "<i2")


async def test_a_tone_arrives_at_16_khz_while_the_button_is_held(tmp_path: Path) -> None:
    tone = tmp_path / "tone.wav"
    with wave.open(str(tone), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        at = np.arange(48_000 * 10) / 48_000
        # What lies above 8 kHz must not come back as something below.
        sound = 9000 * np.sin(2 * np.pi * 1000 * at) + 9000 * np.sin(2 * np.pi * 11_000 * at)
        file.writeframes(sound.astype("<i2").tobytes())
    made, still = film()
    async with house(film=made, still=still) as it, browser(f"--use-file-for-fake-audio-capture={tone}") as chromium:
        async with page(chromium, it.url("/talk")) as (one, sight):
            await one.wait_for_selector("body[data-state=idle]")
            box = await one.locator(".talk").bounding_box()
            await one.mouse.move(box["x"] + 30, box["y"] + 30)
            await one.mouse.down()
            await it.until("talk", on=True)
            sound = await heard(it, 2.0)
            level = float(await one.evaluate("document.querySelector('.talk').style.getPropertyValue('--level')"))
            await one.mouse.up()
            await it.until("talk", on=False)
            assert all(size == 640 * 2 for size in it.sizes), set(it.sizes)
            assert 0 < level <= 1
            spectrum = np.abs(np.fft.rfft(sound[-16_000:] * np.hanning(16_000)))
            assert abs(int(spectrum.argmax()) - 1000) <= 3, spectrum.argmax()
            assert spectrum[4990:5010].max() < spectrum.max() / 100, "11 kHz folded back to 5 kHz"
            count = len(it.bytes)
            await asyncio.sleep(0.4)
            assert len(it.bytes) <= count + 3 * 1280, "released: nothing more is sent"
            assert sight.errors == []


async def test_a_tap_listens_until_the_request_has_ended() -> None:
    async with room("/talk") as (it, one, _):
        await one.locator(".talk").click()
        await it.until("talk", on=True)
        await it.send("state", state="listening")
        assert await one.get_attribute(".talk", "aria-pressed") == "true"
        await it.send("state", state="processing")
        await it.until("talk", on=False)
        assert await one.get_attribute(".talk", "aria-pressed") == "false"


async def test_the_space_key_talks_but_not_while_writing() -> None:
    async with room("/talk") as (it, one, _):
        await one.fill("#text", "")
        await one.focus("#text")
        await one.keyboard.type("turn on the light")
        assert not [m for m in it.told if m["type"] == "talk"]
        await one.keyboard.press("Enter")
        await it.until("ask", text="turn on the light")
        await one.evaluate("document.activeElement.blur()")
        await one.keyboard.down("Space")
        await it.until("talk", on=True)
        await asyncio.sleep(0.4)
        await one.keyboard.up("Space")
        await it.until("talk", on=False)


async def test_the_wake_word_switch_keeps_the_microphone_open() -> None:
    async with room("/talk") as (it, one, _):
        assert await one.inner_text("#phrases") == "Listen for “okay nabu”"
        await one.focus("#wake")
        await one.keyboard.press("Space")
        await heard(it, 0.5)
        assert not [m for m in it.told if m["type"] == "talk"]
        await one.keyboard.press("Space")
        await asyncio.sleep(0.3)
        count = len(it.bytes)
        await asyncio.sleep(0.3)
        assert len(it.bytes) == count


async def test_it_explains_what_a_microphone_needs() -> None:
    made, still = film()
    rule = "--host-resolver-rules=MAP face.example 127.0.0.1"
    async with house(film=made, still=still) as it, browser(rule) as chromium:
        async with page(chromium, f"http://face.example:{it.port}/talk") as (one, _):
            await one.wait_for_selector("#why:not([hidden])")
            assert "https" in await one.inner_text("#why")
            assert await one.is_hidden(".speak")
            await one.fill("#text", "what time is it")
            await one.click(".send")
            await it.until("ask", text="what time is it")
            await until(one, "document.querySelector('.heard').textContent === 'what time is it'")
