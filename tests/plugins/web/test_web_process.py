"""The pages of a daemon as people run it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from daemons import AVATARD, Running, yaml_of
from soundcard import SoundCard, soundcard
from web import Viewer, free_port

__all__ = ["soundcard"]


async def test_the_log_tells_where_the_pages_are_and_an_end_is_clean(tmp_path: Path) -> None:
    port = free_port()
    with Running(tmp_path, web=f"{{port: {port}}}") as daemon:
        assert f"http://127.0.0.1:{port}/" in daemon.logged("pages at")
        async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/ws") as ws:
            viewer = Viewer(ws)
            await viewer.send(type="hello", page="room")
            assert (await viewer.until("welcome"))["title"] == "box"
            assert (await viewer.command("say", text="Hello there, how are you today? I am fine."))["ok"]
            await viewer.until("begin")
            code, (told, _) = await asyncio.gather(asyncio.to_thread(daemon.end, signal.SIGTERM), viewer.end())
        assert (code, told) == (0, 4000), daemon.log
        assert "Traceback" not in daemon.log and "did not close" not in daemon.log, daemon.log


async def test_a_reload_keeps_the_page_and_another_port_moves_it(tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    with Running(tmp_path, web=f"{{port: {port}}}") as daemon:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/ws") as ws:
            viewer = Viewer(ws)
            await viewer.send(type="hello", page="room")
            await viewer.until("welcome")
            await asyncio.to_thread(daemon.hang_up, web=f"{{port: {port}}}", conversation="intents")
            assert (await viewer.command("volume", percent=30))["ok"]
            await asyncio.gather(asyncio.to_thread(daemon.hang_up, web=f"{{port: {other}}}"), viewer.end())
            assert ws.close_code == 4000
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{other}/healthz") as answer:
            assert answer.status == 200
        assert daemon.end() == 0


@pytest.mark.long
async def test_the_page_follows_a_real_speaker_and_is_silent(tmp_path: Path, soundcard: SoundCard) -> None:
    port = free_port()
    with Running(tmp_path, web=f"{{port: {port}}}", display="speaker", env=soundcard.env) as daemon:
        daemon.logged("pages at")
        async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/ws") as ws:
            viewer = Viewer(ws)
            await viewer.send(type="hello", page="room")
            assert (await viewer.until("welcome"))["sound"] is False
            recording = soundcard.record()
            await viewer.send(type="say", id=1, text="Hello there, the page shows what you hear. It does follow.")
            await viewer.until("begin")
            positions = []
            while not any(t["type"] == "turn" for t in viewer.texts):
                message = await viewer.read()
                if isinstance(message, dict) and message["type"] == "position":
                    positions.append((time.monotonic(), message["at"]))
            sound = recording.stop()
        assert daemon.end() == 0
    turn, end = (next(t for t in viewer.texts if t["type"] == kind) for kind in ("turn", "end"))
    assert not turn["error"] and turn["frames"]["count"] == len(viewer.binaries) == round(end["duration"] * 25)
    assert next(t for t in viewer.texts if t["type"] == "begin")["follow"] and not any(b.sound for b in viewer.binaries)
    assert np.abs(sound).max() > 1000  # the speaker spoke
    moving = [(when, at) for when, at in positions if 0 < at < end["duration"] - 0.3]
    assert len(moving) > 10, positions
    # The card's clock and the wall's run side by side: no position lies far from the line through them.
    offsets = np.array([when - at for when, at in moving])
    assert np.abs(offsets - np.median(offsets)).max() < 0.5, offsets


def test_beyond_loopback_without_a_token_it_does_not_start(tmp_path: Path) -> None:
    file = tmp_path / "avatard.yaml"
    file.write_text(yaml_of(web="{host: 0.0.0.0}"))
    for words in (["check", "-c", str(file)], ["run", "-c", str(file)]):
        done = subprocess.run([*AVATARD, *words], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 78, done
        said = done.stdout + done.stderr
        assert "avatard.yaml:9" in said and "token" in said and "openssl rand -hex 16" in said, said
