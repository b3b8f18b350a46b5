"""A display of the test's own: Xvfb, and recordings of what is seen and heard."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import missing
from soundcard import RATE

from avatard.api.errors import NotReady
from avatard.runtime.config import Configuration
from avatard.runtime.house import House, open_house

WIDTH, HEIGHT = 640, 480
SETTLING = 1.0
"""Seconds after which PulseAudio has settled on the latency that is asked for."""


@dataclass(frozen=True)
class Seen:
    """A recording: pictures BGR with their times, and the sound with its time, all by one clock."""

    times: np.ndarray
    pictures: list[np.ndarray]
    sound: np.ndarray
    sound_at: float
    rate: int = RATE

    @property
    def moves(self) -> np.ndarray:
        """The mean difference of each picture to the one before it."""
        return np.array([0.0] + [np.abs(b - a).mean() for a, b in zip(self.pictures, self.pictures[1:], strict=False)])


class Ear:
    """Hears what the speaker gives, and when: ffmpeg's own times for PulseAudio are off by up to half a second."""

    def __init__(self) -> None:
        command = ["parec", "--device=speaker.monitor", f"--rate={RATE}", "--channels=1", "--format=s16le",
                   "--latency-msec=5"]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._pieces: list[bytes] = []
        self._began = np.inf
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        end = time.monotonic() + 10
        while not self._pieces:  # an idle sink of PulseAudio first finishes its two seconds of silence
            assert time.monotonic() < end, "parec hears nothing"
            time.sleep(0.01)

    def stop(self) -> tuple[np.ndarray, float]:
        """What was heard, and when its first sample was, by the system's clock."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        return np.frombuffer(b"".join(self._pieces), np.int16), self._began

    def _listen(self) -> None:
        stream, count, first = self._process.stdout, 0, time.time()
        assert stream
        with stream:
            while piece := os.read(stream.fileno(), 4096):
                now = time.time()
                self._pieces.append(piece)
                count += len(piece) // 2
                # No sample comes before it is heard; the one that comes soonest tells the rest. Sound that was under
                # way when it began to listen does not count.
                if now - first > SETTLING:
                    self._began = min(self._began, now - count / RATE)


class Screen:
    """A virtual display; the sound card, if any, is the environment's."""

    def __init__(self, number: int, folder: Path) -> None:
        self.number, self._folder = number, folder
        self._recorder: subprocess.Popen[bytes] | None = None
        self._ear: Ear | None = None

    def record(self, seconds: float, size: int = WIDTH, fps: int = 50, sound: bool = False) -> None:
        """Record from now on: a part of the display, at its top left."""
        height = min(size, HEIGHT)
        self._ear = Ear() if sound else None
        (self._folder / "seen.mkv").unlink(missing_ok=True)
        self._recorder = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-thread_queue_size", "512",
             "-f", "x11grab", "-framerate", str(fps), "-video_size", f"{size}x{height}", "-draw_mouse", "0",
             "-t", str(seconds), "-i", f":{self.number}", "-copyts", "-c:v", "ffv1", "-g", "1",
             str(self._folder / "seen.mkv")], stderr=subprocess.PIPE,
        )  # fmt: skip
        end = time.monotonic() + 10
        while not (path := self._folder / "seen.mkv").exists() or path.stat().st_size < 1000:
            assert self._recorder.poll() is None and time.monotonic() < end, "ffmpeg does not record"
            time.sleep(0.02)

    def seen(self, shrink: int = 4) -> Seen:
        """Wait for the recording's end; return it, every so many pixels only."""
        import av

        assert self._recorder and self._recorder.stderr
        _, complaints = self._recorder.communicate(timeout=900)
        assert self._recorder.returncode == 0, complaints
        times, pictures = [], []
        with av.open(str(self._folder / "seen.mkv")) as film:
            for frame in film.decode(video=0):
                times.append(float(frame.pts * frame.time_base))
                pictures.append(frame.to_ndarray(format="bgr24")[::shrink, ::shrink].astype(np.int16))
        sound, sound_at = self._ear.stop() if self._ear is not None else (np.zeros(0, np.int16), 0.0)
        return Seen(np.array(times), pictures, sound, sound_at)

    def shot(self, shrink: int = 1) -> np.ndarray:
        """What is seen."""
        self.record(0.1)
        return self.seen(shrink).pictures[-1]


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    for program, package in (("Xvfb", "xvfb"), ("mpv", "mpv"), ("ffmpeg", "ffmpeg")):
        if shutil.which(program) is None:
            missing(f"{program} (Debian package {package})")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as numbers:
        number = int(numbers.readline())
    monkeypatch.setenv("DISPLAY", f":{number}")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    folder = tmp_path / "screen"
    folder.mkdir()
    yield Screen(number, folder)
    server.terminate()
    server.wait()


@asynccontextmanager
async def attached(
    scripted: Callable[..., Configuration], tts: str = "scripted", size: int = 320, **options: Any
) -> AsyncIterator[tuple[House, Any]]:
    """The daemon with the real display ``screen``, the drawn face, and its film at rest on the display."""
    drawn = {"avatar": {"render": [{"platform": "drawn", "size": size}]}, "encoder": {"platform": "ffmpeg"}}
    stages = drawn | {"tts": {"platform": tts}, "display": {"platform": "screen"} | options}
    async with open_house(scripted(**stages)) as house:
        display: Any = house.place.displays._own[0][1]
        await at_rest(display)
        yield house, display


async def at_rest(display: Any, seconds: float = 40) -> None:
    """Wait until the film is seen."""
    async with asyncio.timeout(seconds):
        while not await showing(display, ".mp4"):
            await asyncio.sleep(0.05)


async def showing(display: Any, what: str) -> bool:
    """Whether the player shows a file of such a name, and has come to its first picture."""
    try:
        path = await display.player.ask("get_property", "path")
        at = await display.player.ask("get_property", "time-pos")
    except (AttributeError, NotReady):
        return False
    return isinstance(path, str) and what in path and at is not None
