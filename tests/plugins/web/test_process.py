"""The pages of a daemon as people run it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import aiohttp
from daemons import AVATARD, Running, yaml_of
from web import Viewer, free_port


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


def test_beyond_loopback_without_a_token_it_does_not_start(tmp_path: Path) -> None:
    file = tmp_path / "avatard.yaml"
    file.write_text(yaml_of(web="{host: 0.0.0.0}"))
    for words in (["check", "-c", str(file)], ["run", "-c", str(file)]):
        done = subprocess.run([*AVATARD, *words], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 78, done
        said = done.stdout + done.stderr
        assert "avatard.yaml:9" in said and "token" in said and "openssl rand -hex 16" in said, said
