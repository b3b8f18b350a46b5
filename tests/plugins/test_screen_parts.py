"""The attached display's parts: which player, where, with which arguments; the monitor's plug; what is sent again."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from attached import Screen, screen
from conftest import missing

from avatard.api.errors import ConfigError, NotReady
from avatard.api.flow import FPS, FRAME_SAMPLES, EncodedChunk, VideoFrame
from avatard.api.news import Problem
from avatard.plugins.screen import launch
from avatard.plugins.screen.config import DisplayConfig
from avatard.plugins.screen.monitor import Monitor, connectors
from avatard.plugins.screen.source import FADE, Encoded, Raw
from avatard.runtime.config import Configuration
from avatard.runtime.house import open_house

__all__ = ["screen"]

Scripted = Callable[..., Configuration]


def program(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


def test_which_player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady, match="there is no mpv: sudo apt install mpv"):
        launch.player(DisplayConfig())
    program(tmp_path, "ffplay")
    assert launch.player(DisplayConfig()) == str(tmp_path / "ffplay")
    with pytest.raises(NotReady, match="there is no mpv: sudo apt install mpv"):
        launch.player(DisplayConfig(program="mpv"))
    program(tmp_path, "mpv")
    assert launch.player(DisplayConfig()) == str(tmp_path / "mpv")


def test_where_there_is_no_display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotReady, match=r"no DISPLAY and no WAYLAND_DISPLAY is set, and there is no .*/dri/card"):
        launch.reachable(tmp_path)
    card = tmp_path / "dri" / "card0"
    card.parent.mkdir()
    card.touch()
    launch.reachable(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, how: False)  # root may open everything
    with pytest.raises(NotReady, match="sudo usermod -aG video,render"):
        launch.reachable(tmp_path)


def plug(sys_drm: Path, name: str, status: str) -> None:
    (sys_drm / name).mkdir(parents=True, exist_ok=True)
    (sys_drm / name / "status").write_text(f"{status}\n")


def test_the_right_monitor_without_a_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    plug(tmp_path, "card0-DSI-1", "disconnected")
    plug(tmp_path, "card1-HDMI-A-1", "connected")
    plug(tmp_path, "card1-HDMI-A-2", "connected")
    plug(tmp_path, "card1-Writeback-1", "unknown")

    def words(**options: Any) -> list[str]:
        return launch.mpv("mpv", DisplayConfig(**options), 7, tmp_path)

    assert {"--vo=gpu,drm", "--gpu-context=drm", "--input-ipc-client=fd://7"} <= set(words())
    assert not any("connector" in word for word in words())
    assert "--drm-connector=HDMI-A-2" in words(monitor=1)
    assert "--drm-connector=HDMI-A-2" in words(monitor="HDMI-A-2")
    with pytest.raises(NotReady, match=r"monitor: 2: 2 plugged in \(HDMI-A-1, HDMI-A-2\)"):
        words(monitor=2)
    assert {"--video-rotate=270", "--panscan=1.0"} <= set(words(rotate=270, scale="fill"))
    assert {"--video-unscaled=yes", "--fullscreen=no"} <= set(words(scale="none", fullscreen=False))
    assert "--audio-device=alsa/plughw:CARD=vc4hdmi0" in words(device="alsa/plughw:CARD=vc4hdmi0")


def test_the_right_monitor_on_a_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    words = launch.mpv("mpv", DisplayConfig(monitor=1), 7)
    assert "--fs-screen=1" in words and not any("drm-connector" in word or "gpu-context" in word for word in words)
    assert "--fs-screen-name=HDMI-1" in launch.mpv("mpv", DisplayConfig(monitor="HDMI-1"), 7)


async def test_a_monitor_that_is_unplugged_is_told_once(tmp_path: Path) -> None:
    told: list[Any] = []
    lines: list[str] = []
    backs: list[int] = []
    context: Any = SimpleNamespace(
        news=SimpleNamespace(publish=told.append),
        logger=SimpleNamespace(warning=lambda *words: lines.append(words[0] % words[1:]),
                               info=lambda *words: lines.append(words[0] % words[1:])),
    )  # fmt: skip
    plug(tmp_path, "card1-HDMI-A-1", "connected")
    assert connectors(tmp_path) == {"HDMI-A-1": True}
    monitor, pulse = Monitor(context, "HDMI-A-1", tmp_path), SimpleNamespace(beat=lambda seconds: None)
    watching = asyncio.ensure_future(monitor.watch(pulse, lambda: backs.append(1), 0.01))
    await asyncio.sleep(0.1)
    assert not told and not lines
    plug(tmp_path, "card1-HDMI-A-1", "disconnected")
    await asyncio.sleep(0.1)
    assert len(told) == len(lines) == 1 and isinstance(told[0], Problem) and "HDMI-A-1 is unplugged" in told[0].what
    plug(tmp_path, "card1-HDMI-A-1", "connected")
    await asyncio.sleep(0.1)
    assert len(told) == len(lines) == 2 and told[1].over and backs == [1], (told, backs)
    watching.cancel()
    await asyncio.wait([watching])


def test_no_connector_is_no_news(tmp_path: Path) -> None:
    context: Any = None
    assert Monitor(context, "", tmp_path).plugged() and Monitor(context, 1, tmp_path).plugged()


async def frames(count: int, repeated: tuple[int, ...] = (), side: int = 64) -> AsyncGenerator[VideoFrame, None]:
    for index in range(count):
        picture = None if index in repeated else np.full((side, side, 3), 10 * index % 250, np.uint8)
        yield VideoFrame(picture, np.full(FRAME_SAMPLES, index + 1, np.int16), index / FPS)


async def drained(source: Raw) -> bytes:
    data = b""
    while (piece := await source.next()) is not None:
        data += piece.data
    return data


def read(data: bytes) -> tuple[list[tuple[float, int]], list[int]]:
    """(time, brightness) of each picture, and the sound's values, of one stream."""
    pictures, sound = [], []
    with av.open(io.BytesIO(data)) as film:
        for frame in film.decode():
            if isinstance(frame, av.VideoFrame):
                pictures.append((round(float(frame.pts * frame.time_base), 3), int(frame.to_ndarray()[5, 5, 0])))
            else:
                sound += list(frame.to_ndarray().reshape(-1)[::FRAME_SAMPLES])
    return pictures, sound


async def test_an_answer_comes_out_of_the_picture_that_is_seen() -> None:
    source = Raw(frames(10, repeated=(1, 8)))
    source.begin(np.full((64, 64, 3), 240, np.uint8))
    pictures, sound = read(await drained(source))
    values = [value for _, value in pictures]
    assert values[:FADE] == sorted(values[:FADE], reverse=True) and values[0] > 180 and values[FADE] == 60, values
    assert len(pictures) == 9 and sound == list(range(1, 11)), "a repeated picture is not sent; its sound is"


async def test_what_was_not_heard_is_sent_again() -> None:
    source = Raw(frames(10))
    source.begin(None)
    for _ in range(6):
        await source.next()
    source.rewind(0.1)  # of the third frame a part was heard
    source.begin(None)
    pictures, sound = read(await drained(source))
    assert sound == list(range(3, 11)), sound
    assert pictures[0] == (0.08, 20) and len(pictures) == 8, pictures


async def test_a_tail_leads_back_unless_it_is_there() -> None:
    source = Raw(frames(5))
    source.begin(None)
    data = await drained(source)
    assert source.tail(np.full((64, 64, 3), 41, np.uint8)) == []
    assert source.tail(np.full((32, 32, 3), 200, np.uint8)) == []
    tail = source.tail(np.full((64, 64, 3), 200, np.uint8))
    pictures, _ = read(data + b"".join(piece.data for piece in tail))
    values = [value for _, value in pictures[5:]]
    assert len(values) == FADE and values == sorted(values) and values[-1] == 200, values


async def test_pictures_of_another_size_are_fitted_into_the_stream() -> None:
    async def growing() -> AsyncGenerator[VideoFrame, None]:
        async for frame in frames(2):
            yield frame
        async for frame in frames(3, side=128):
            if frame.pts == 2 / FPS:
                yield frame

    source = Raw(growing())
    source.begin(None)
    pictures, _ = read(await drained(source))
    assert [value for _, value in pictures] == [0, 10, 20], pictures


async def test_an_encoded_stream_goes_on_where_it_can() -> None:
    async def chunks() -> AsyncGenerator[EncodedChunk, None]:
        yield EncodedChunk(b"HEAD", 0.0, True, True)
        for index in range(6):
            yield EncodedChunk(b"K%d" % index if index % 3 == 0 else b"p%d" % index, index / FPS, index % 3 == 0)

    source = Encoded(chunks())
    source.begin(None)
    first = [piece.data for piece in [await source.next(), await source.next()] if piece]
    source.rewind(0.0)
    source.begin(None)
    rest = [piece.data for piece in [await source.next(), await source.next(), await source.next()] if piece]
    assert (first, rest) == ([b"HEADK0", b"p1"], [b"HEADK3", b"p4", b"p5"])


async def test_without_mpv_ffplay_shows_it(
    scripted: Scripted, screen: Screen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ffplay = shutil.which("ffplay")
    if ffplay is None:
        missing("ffplay (Debian package ffmpeg)")
        raise AssertionError
    stages = {"avatar": {"render": [{"platform": "drawn", "size": 256}]}, "encoder": {"platform": "ffmpeg"}}
    display_of = {"display": {"platform": "screen", "program": "ffplay", "sound": False}}
    async with open_house(scripted(**stages, **display_of)) as house:
        assert "without mpv (sudo apt install mpv) ffplay shows the face" in caplog.text
        display: Any = house.place.displays._own[0][1]
        async with asyncio.timeout(30):
            while display._rest is None:
                await asyncio.sleep(0.1)
        await asyncio.sleep(1.5)
        assert (await asyncio.to_thread(screen.shot, 4)).mean() > 20, "no face at rest"
        red = (VideoFrame(np.full((256, 256, 3), (20, 20, 220), np.uint8), f.audio, f.pts) async for f in frames(75))
        speaking = asyncio.ensure_future(display.play(red))
        await asyncio.sleep(2.2)
        middle = (await asyncio.to_thread(screen.shot, 4))[60, 80]
        await speaking
        assert middle[2] > 150 and middle[0] < 80, middle
        assert display.shown == pytest.approx(3.0)


async def test_no_player_at_all_says_what_to_install(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises((NotReady, ConfigError), match="there is no mpv: sudo apt install mpv"):
        async with open_house(scripted(display={"platform": "screen"})):
            pass
