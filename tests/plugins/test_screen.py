"""The attached display: a real mpv on a display of the test's own, looked at picture by picture."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from attached import Ear, Screen, at_rest, attached, screen, showing
from conftest import missing
from daemon import EARS, Daemon
from soundcard import RATE, SoundCard, soundcard

from avatard.api.errors import NotReady
from avatard.api.flow import FPS, FRAME_SAMPLES, VideoFrame
from avatard.api.news import Touched
from avatard.runtime.config import Configuration
from avatard.runtime.house import open_house

pytestmark = pytest.mark.pair

__all__ = ["screen", "soundcard"]

Scripted = Callable[..., Configuration]
FACE = slice(30, 90), slice(60, 100)
"""Where the face is, in a quarter of the display's size."""


async def bars(seconds: float, side: int = 320) -> AsyncIterator[VideoFrame]:
    """A bar that walks over red, and a tone."""
    for index in range(round(seconds * FPS)):
        picture = np.full((side, side, 3), (40, 40, 200), np.uint8)
        left = index * 4 % (side - 40)
        picture[100:200, left : left + 40] = 255
        t = np.arange(index * FRAME_SAMPLES, (index + 1) * FRAME_SAMPLES) / RATE
        yield VideoFrame(picture, (9000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16), index / FPS)


def red(picture: np.ndarray) -> bool:
    """Whether the bars are seen there, and not the face."""
    blue, green, warm = np.median(picture[FACE].reshape(-1, 3), axis=0)
    return bool(warm > 150 and max(blue, green) < 100)


def lit(picture: np.ndarray) -> bool:
    return bool(picture.mean() > 20)


@pytest.mark.long
async def test_the_face_rests_speaks_and_rests_without_a_jump(
    scripted: Scripted, screen: Screen, soundcard: SoundCard
) -> None:
    async with attached(scripted, tts="espeak") as (house, _):
        await asyncio.to_thread(screen.record, 7)
        await asyncio.sleep(1)
        turn = await house.door.say("Every good morning begins with a cup of tea.", source="test")
        assert turn
        seen = await asyncio.to_thread(screen.seen)
    assert all(lit(picture) for picture in seen.pictures), "a black picture"
    begins, ends = _spoken(seen.pictures)
    moves = seen.moves
    speech = moves[begins + 10 : ends - 10]
    assert (speech > 0.05).sum() > 20, "the mouth does not move"
    into, out = moves[begins - 25 : begins + 10], moves[ends - 10 : ends + 40]
    assert into.max() <= 1.5 * speech.max() and out.max() <= 1.5 * speech.max(), (into.max(), out.max(), speech.max())


def _spoken(pictures: list[np.ndarray]) -> tuple[int, int]:
    """The first and last picture in which the mouth is not as it is at rest."""
    mouth = np.array([picture[66:86, 68:92].mean() for picture in pictures])
    open_ = np.flatnonzero(np.abs(mouth - np.median(mouth[:40])) > 3)
    assert len(open_) > 10, mouth
    return int(open_[0]), int(open_[-1])


async def test_cancelled_it_is_silent_and_at_rest_at_once(
    scripted: Scripted, screen: Screen, soundcard: SoundCard
) -> None:
    async with attached(scripted) as (_, display):
        await asyncio.to_thread(screen.record, 5, sound=True)
        speaking = asyncio.ensure_future(display.play(bars(30)))
        await asyncio.sleep(2.5)
        assert 0.5 < display.shown < 2.5, display.shown
        speaking.cancel()
        cancelled = time.time()
        await asyncio.wait([speaking])
        await asyncio.sleep(0.5)
        assert await showing(display, ".mp4")
        seen = await asyncio.to_thread(screen.seen)
    loud = np.flatnonzero(np.abs(seen.sound.astype(int)) > 500)
    heard_until = seen.sound_at + loud[-1] / RATE
    seen_until = seen.times[np.flatnonzero([red(p) for p in seen.pictures])[-1]]
    assert len(loud) > RATE and heard_until - cancelled < 0.2 and seen_until - cancelled < 0.5, (
        heard_until - cancelled, seen_until - cancelled,
    )  # fmt: skip


async def test_an_mpv_killed_in_the_middle_is_followed_by_another(
    scripted: Scripted, screen: Screen, soundcard: SoundCard
) -> None:
    async with attached(scripted) as (_, display):
        ear = await asyncio.to_thread(Ear)
        speaking = asyncio.ensure_future(display.play(bars(5)))
        await _until(lambda: display.shown > 1.5)
        old = display.player.pid
        os.kill(old, signal.SIGKILL)
        assert await _until(lambda: display.player is not None and display.player.pid != old)
        at = display.shown
        await _until(lambda: display.shown > at + 0.5)
        assert red(await asyncio.to_thread(screen.shot, 4))
        await speaking
        assert display.shown == pytest.approx(5.0)
        await asyncio.sleep(0.3)
        assert await showing(display, ".mp4")
        sound, _ = ear.stop()
    heard = (np.abs(sound.astype(int)) > 500).sum() / RATE
    assert 4.4 < heard * np.pi / 3 < 6, heard  # a tone is above 500 of 9000 nearly always


@pytest.mark.long
async def test_an_mpv_that_is_stuck_is_followed_by_another(scripted: Scripted, screen: Screen) -> None:
    async with attached(scripted) as (_, display):
        speaking = asyncio.ensure_future(display.play(bars(3)))
        await _until(lambda: display.shown > 1)
        os.kill(display.player.pid, signal.SIGSTOP)
        async with asyncio.timeout(20):
            await speaking
        assert display.shown == pytest.approx(3.0)


@pytest.mark.long
async def test_a_sound_device_that_stands_still_ends_no_answer(
    scripted: Scripted, screen: Screen, soundcard: SoundCard
) -> None:
    async with attached(scripted) as (_, display):
        old = display.player.pid
        speaking = asyncio.ensure_future(display.play(bars(3)))
        await _until(lambda: display.shown > 1)
        soundcard.pactl("suspend-sink", "speaker", "1")
        assert await _until(lambda: display.player is not None and display.player.pid != old)
        assert not speaking.done()
        soundcard.pactl("suspend-sink", "speaker", "0")
        async with asyncio.timeout(20):
            await speaking
        assert display.shown == pytest.approx(3.0)


@pytest.mark.long
async def test_ten_deaths_and_ten_starts_leave_nothing(scripted: Scripted, screen: Screen) -> None:
    me = psutil.Process()
    async with attached(scripted) as (_, display):
        counts = []
        for _ in range(10):
            os.kill(display.player.pid, signal.SIGKILL)
            await _until(lambda: display.player is None)
            await at_rest(display)
            await display.play(bars(0.2))
            counts.append((me.num_fds(), len(me.children(recursive=True))))
        assert counts[-1] == counts[1], counts
    assert not [child for child in me.children(recursive=True) if "mpv" in child.name()]


async def test_what_comes_late_is_heard_whole(scripted: Scripted, screen: Screen, soundcard: SoundCard) -> None:
    async def late() -> AsyncIterator[VideoFrame]:
        async for frame in bars(3):
            if frame.pts in (1.0, 2.0):
                await asyncio.sleep(1.2)
            yield frame

    async with attached(scripted) as (_, display):
        ear = await asyncio.to_thread(Ear)
        await display.play(late())
        assert display.shown == pytest.approx(3.0) and display.late == 2, (display.shown, display.late)
        sound, _ = ear.stop()
    loud = np.abs(sound[: len(sound) // 480 * 480].reshape(-1, 480).astype(int)).max(axis=1) > 2000
    spans = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(int), [0]])))) / 100
    assert spans[::2] == pytest.approx([1, 1, 1], abs=0.06) and len(spans) == 5, spans


async def test_volume_is_a_gain(scripted: Scripted, screen: Screen, soundcard: SoundCard) -> None:
    async with attached(scripted) as (_, display):
        ear = await asyncio.to_thread(Ear)
        speaking = asyncio.ensure_future(display.play(bars(3)))
        await _until(lambda: display.shown > 1.2)
        display.set_volume(25)
        await speaking
        sound, _ = ear.stop()
    loud = np.flatnonzero(np.abs(sound.astype(int)) > 300)
    before, after = sound[loud[0] + RATE // 2 :][: RATE // 4], sound[: loud[-1] - RATE // 4][-RATE // 2 :]
    assert np.abs(after).max() / np.abs(before).max() == pytest.approx(0.25, abs=0.03)


@pytest.mark.long
async def test_beside_another_display_it_is_silent_and_follows(
    scripted: Scripted, screen: Screen, soundcard: SoundCard
) -> None:
    began: list[float] = []
    async with attached(scripted) as (_, display):
        display.follow(lambda: (time.monotonic() - began[0] - 0.5) / 2 if began else 0.0)  # half as fast, and later
        await asyncio.to_thread(screen.record, 7, sound=True)
        began.append(time.monotonic())
        await display.play(bars(2))
        took = time.monotonic() - began[0]
        seen = await asyncio.to_thread(screen.seen)
    assert 4.3 < took < 4.9, took
    assert not (np.abs(seen.sound.astype(int)) > 100).any()
    shown = seen.times[[red(picture) for picture in seen.pictures]]
    assert shown[-1] - shown[0] > 3.3, shown[-1] - shown[0]


async def test_a_short_sound_is_heard_beside(scripted: Scripted, screen: Screen, soundcard: SoundCard) -> None:
    async with attached(scripted) as (_, display):
        assert await _until(lambda: display._bell.player is not None)
        await display.play(bars(0.4))
        await at_rest(display)
        assert soundcard.pactl("list", "short", "sink-inputs") == "", "at rest the sound device is free"
        ear = await asyncio.to_thread(Ear)
        await asyncio.sleep(0.3)
        await display.chime((9000 * np.sin(2 * np.pi * 880 * np.arange(9600) / RATE)).astype(np.int16))
        await asyncio.sleep(1.2)
        sound, _ = ear.stop()
        what = [await display.player.ask("get_property", name) for name in ("path", "time-pos", "playlist")]
        assert await showing(display, ".mp4"), what
    heard = (np.abs(sound.astype(int)) > 500).sum() / RATE
    assert 0.15 < heard < 0.25, (heard, np.abs(sound.astype(int)).max())


async def test_a_touch_is_told(scripted: Scripted, screen: Screen) -> None:
    async with attached(scripted) as (house, display):
        with house.feed.subscribe() as news:
            await display.player.ask("keypress", "MBTN_LEFT")
            async with asyncio.timeout(5):
                async for event in news:
                    if isinstance(event, Touched):
                        assert event.where == "screen"
                        break


async def test_no_key_ends_it(scripted: Scripted, screen: Screen) -> None:
    async with attached(scripted) as (_, display):
        for key in ("q", "Q", "ESC", "CLOSE_WIN", "POWER", "STOP", "SPACE", "f"):
            await display.player.ask("keypress", key)
        await asyncio.sleep(0.3)
        assert await showing(display, ".mp4")
        state = [await display.player.ask("get_property", name) for name in ("pause", "fullscreen")]
        assert state == [False, True], state


async def test_encoded_pictures_are_shown_too(scripted: Scripted, screen: Screen, soundcard: SoundCard) -> None:
    async with attached(scripted, stream="h264") as (house, display):
        assert display.accepts == "fmp4"
        encoder = await house.place.displays.encoder.engine()
        speaking = asyncio.ensure_future(display.play(encoder.encode(bars(3), "fmp4")))
        await _until(lambda: display.shown > 1)
        assert red(await asyncio.to_thread(screen.shot, 4))
        await speaking
        assert display.shown == pytest.approx(3.0, abs=0.1)


@pytest.mark.long
@pytest.mark.parametrize("side", [320, 720])
async def test_at_rest_and_in_an_answer_colours_are_the_same(scripted: Scripted, screen: Screen, side: int) -> None:
    async with attached(scripted, size=side) as (_, display):
        face = display._film.loop.first
        await asyncio.to_thread(screen.record, 1)
        resting = (await asyncio.to_thread(screen.seen)).pictures[0]
        speaking = asyncio.ensure_future(display.play(VideoFrame(face, f.audio, f.pts) async for f in bars(4)))
        await _until(lambda: display.shown > 1)
        answering = await asyncio.to_thread(screen.shot, 4)
        speaking.cancel()
        await asyncio.wait([speaking])
    background = slice(4, 20), slice(30, 130)
    apart = np.abs(resting[background].mean(axis=(0, 1)) - answering[background].mean(axis=(0, 1)))
    assert apart.max() < 3, apart


@pytest.mark.long
async def test_turned_and_filled(scripted: Scripted, screen: Screen) -> None:
    async def halves() -> AsyncIterator[VideoFrame]:
        async for frame in bars(4):
            picture = np.full((320, 320, 3), (200, 40, 40), np.uint8)
            picture[:160] = (40, 40, 200)
            yield VideoFrame(picture, frame.audio, frame.pts)

    async with attached(scripted, rotate=90, scale="fill") as (_, display):
        speaking = asyncio.ensure_future(display.play(halves()))
        await _until(lambda: display.shown > 1)
        picture = await asyncio.to_thread(screen.shot, 4)
        speaking.cancel()
        await asyncio.wait([speaking])
    left, right = picture[60, 10], picture[60, -10]
    assert left[0] > 150 and right[2] > 150, (left, right)  # the red upper half has come to the right


async def test_without_a_display_the_rest_of_the_house_lives(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    _needs_mpv()
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if list(Path("/dev/dri").glob("card*")):
        missing("a machine without a graphics card")
    async with open_house(scripted(display={"platform": "screen"})) as house:
        display: Any = house.place.displays._own[0][1]
        with pytest.raises(NotReady, match="no DISPLAY and no WAYLAND_DISPLAY is set, and there is no /dev/dri/card"):
            await display.play(bars(1))


async def test_a_display_that_comes_later_is_used(scripted: Scripted, screen: Screen) -> None:
    there = os.environ["DISPLAY"]
    os.environ["DISPLAY"] = ":9999"
    try:
        async with open_house(scripted(display={"platform": "screen", "sound": False})) as house:
            display: Any = house.place.displays._own[0][1]
            with pytest.raises(NotReady, match="couldn't open the X11 display"):
                while True:
                    await display.play(bars(0.2))
            os.environ["DISPLAY"] = there
            async with asyncio.timeout(30):
                while display.player is None:
                    await asyncio.sleep(0.1)
            await display.play(bars(0.6))
            assert display.shown == pytest.approx(0.6), display.shown
    finally:
        os.environ["DISPLAY"] = there


def test_mpv_does_not_outlive_the_daemon(screen: Screen, tmp_path: Path) -> None:
    stages = EARS | {"display": {"platform": "screen"}, "avatar": {"render": [{"platform": "scripted"}]}}
    with Daemon(tmp_path / "run", **stages) as daemon:
        players = _wait_for_players(daemon.pid, 2)
        players[0].suspend()  # even one that cannot see its socket close
        daemon.kill()
        gone, alive = psutil.wait_procs(players, timeout=5)
        assert len(gone) == 2 and not alive, alive
        daemon.start()
        players = _wait_for_players(daemon.pid, 2)
        assert daemon.stop() == 0
        assert not psutil.wait_procs(players, timeout=5)[1]


def _wait_for_players(pid: int, count: int) -> list[psutil.Process]:
    end = time.monotonic() + 20
    while len(found := [c for c in psutil.Process(pid).children() if c.name() == "mpv"]) < count:
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def _needs_mpv() -> None:
    import shutil

    if shutil.which("mpv") is None:
        missing("mpv (Debian package mpv)")


async def _until(true: Callable[[], bool], seconds: float = 20) -> bool:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
    return True
