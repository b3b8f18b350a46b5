"""The H.264 stream in a real Chromium, by Media Source Extensions."""

from __future__ import annotations

import asyncio
import itertools
import struct
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browsing import mouth, picture, room, until
from takes import spoken
from webhouse import House

from avatard.api.mp4 import codecs

pytestmark = pytest.mark.alone


@cache
def pieces(folder: Path) -> tuple[bytes, ...]:
    """The spoken answer as fragments of 40 ms; the first is the initialisation."""
    import imageio_ffmpeg

    take = spoken()
    (folder / "pictures").write_bytes(b"".join(_raw(jpeg) for jpeg in take.jpegs))
    (folder / "sound").write_bytes(b"".join(take.sounds))
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "bgr24",
        "-s", f"{take.size}x{take.size}", "-r", "25", "-i", str(folder / "pictures"), "-f", "s16le", "-ar", "48000",
        "-ac", "1", "-i", str(folder / "sound"), "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
        "-g", "25", "-pix_fmt", "yuv420p", "-threads", "1", "-c:a", "aac", "-movflags",
        "empty_moov+default_base_moof+cmaf", "-frag_duration", "40000", "-f", "mp4", "-",
    ]  # fmt: skip
    made = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    return tuple(_fragments(made))


def _raw(jpeg: bytes) -> bytes:
    seen = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    return seen.tobytes()


def _fragments(data: bytes) -> Iterator[bytes]:
    part = b""
    while data:
        size, kind = struct.unpack(">I4s", data[:8])
        if kind == b"moof" and b"moov" in part[:2000]:
            yield part
            part = b""
        part, data = part + data[:size], data[size:]
        if kind == b"mdat":
            yield part
            part = b""


async def stream(it: House, number: int, film: tuple[bytes, ...], codec: str, *, end: bool = True) -> None:
    """Send it at about its pace."""
    await it.send("begin", answer=number, width=256, height=256, fps=25, rate=48000, stream="h264", codecs=codec,
                  follow=False)  # fmt: skip
    loop = asyncio.get_running_loop()
    start, total = loop.time(), 3.6
    for index, part in enumerate(film):
        flags = 1 if index == 0 else 0
        await it.send_bytes(struct.pack("<BBHIII", 2, flags, 0, number, 0, 0) + part)
        due = start + total * max(0, index - 1) / len(film) - 0.3
        await asyncio.sleep(max(0.0, due - loop.time()))
    if end:
        await it.send("end", answer=number, duration=total)


async def test_the_film_plays_and_the_mouth_moves(tmp_path: Path) -> None:
    film = pieces(tmp_path)
    async with room("/?stream=h264") as (it, one, sight):
        assert it.told[0]["stream"] == "h264"
        sending = asyncio.create_task(stream(it, 1, film, codecs(film[0])))
        await one.wait_for_selector("[data-speech=film]")
        mouths: list[Any] = []
        times: list[float] = []
        while not sending.done():
            mouths.append(mouth(await picture(one, ".face")))
            times.append(await one.evaluate("document.querySelector('.speech-film').currentTime"))
        await sending
        assert times == sorted(times) and times[-1] > 2, times
        moved = [float(np.abs(a - b).mean()) for a, b in itertools.pairwise(mouths)]
        assert max(moved) > 6, moved
        await it.until("played", answer=1, at=3.6)
        await one.wait_for_selector(".stage:not([data-speech])")
        await asyncio.sleep(0.4)
        await stream(it, 2, film, codecs(film[0]))
        await it.until("played", answer=2, at=3.6)
        assert sight.errors == []


@pytest.mark.long
async def test_a_stream_that_cannot_be_played_becomes_pictures(tmp_path: Path) -> None:
    async with room("/?stream=h264") as (it, one, _):
        await stream(it, 1, (b"this is no film",), "avc1.640028", end=False)
        hello = await it.until("hello", stream="canvas")
        assert hello["page"] == "room"
        await until(one, "document.body.dataset.state === 'idle'")
        await it.answer(2, spoken())
        await it.until("played", answer=2, at=3.6)
        assert len(await one.evaluate("window.seen")) > 10
