"""Which encoder serves: proved by the real ffmpeg, and by one that does as if it had hardware."""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from films import Film, fake, frames, joined, started

from avatard.api.errors import ConfigError, NotReady
from avatard.api.flow import VideoFrame
from avatard.api.news import EngineChanged
from avatard.plugins.ffmpeg import line as lines
from avatard.plugins.ffmpeg import probing
from avatard.plugins.ffmpeg import stream as streams
from avatard.plugins.ffmpeg.coders import CODERS, SOFTWARE, command, out_of_reach
from avatard.plugins.ffmpeg.config import EncoderConfig
from avatard.plugins.ffmpeg.encoder import FfmpegEncoder, find
from avatard.plugins.ffmpeg.line import Line
from avatard.plugins.ffmpeg.remembering import Remembered
from avatard.runtime.config import ConfigProblems, from_mapping
from avatard.runtime.feed import Feed
from avatard.runtime.house import open_house

NAMES = [coder.name for coder in CODERS]


class Alive:
    """A pulse that nobody feels."""

    def beat(self, within: float) -> None:
        assert within == math.inf


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A /dev with a graphics card."""
    node = tmp_path / "dev" / "dri" / "renderD128"
    node.parent.mkdir(parents=True)
    node.touch()
    return tmp_path / "dev"


def remembered(tmp_path: Path) -> Remembered:
    return Remembered(tmp_path / "cache" / "encoder.json")


async def test_without_devices_libx264_serves_and_nothing_is_started(tmp_path: Path) -> None:
    feed = Feed()
    with feed.subscribe() as news:
        line = Line(str(tmp_path / "no ffmpeg at all"), EncoderConfig(), remembered(tmp_path), feed, tmp_path)
        assert line.known_as == "" and await line.best() is SOFTWARE and line.known_as == "libx264"
        assert news.waiting() == [EngineChanged("encoder", "libx264", "the first that works here")]


@pytest.mark.parametrize(
    ("mode", "serves", "why"),
    [("works", "h264_vaapi", ""), ("fails", "libx264", "unknown libva error"), ("hangs", "libx264", "longer than 2 s"),
     ("garbage", "libx264", "other pictures than it is given"), ("nothing", "libx264", "it made no H.264")],
)  # fmt: skip
async def test_only_what_is_proved_serves(
    dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mode: str,
    serves: str, why: str,
) -> None:  # fmt: skip
    if mode == "hangs":
        monkeypatch.setattr(probing, "LIMIT", 2.0)
    caplog.set_level("INFO")
    program = fake(tmp_path, mode)
    line = Line(str(program), EncoderConfig(), remembered(tmp_path), None, dev)
    assert (await line.best()).codec == serves == line.known_as
    assert started(program) == 1 and psutil.Process().children() == []
    told = [record.getMessage() for record in caplog.records if "h264_vaapi" in record.getMessage()]
    assert (told == []) == (serves == "h264_vaapi") and why in "".join(told), told
    # Remembered: no second proof, until the devices or the arguments are others; but a machine may have been busy.
    again = 1 if mode == "hangs" else 0
    for times, config in ((1 + again, EncoderConfig()), (2 + again, EncoderConfig(bitrate_kbps=300))):
        line = Line(str(program), config, remembered(tmp_path), None, dev)
        assert (await line.best()).codec == serves and started(program) == times
    (dev / "video0").touch()
    await Line(str(program), EncoderConfig(), remembered(tmp_path), None, dev).best()
    assert started(program) == 3 + again


async def test_a_broken_memory_is_no_memory(dev: Path, tmp_path: Path) -> None:
    program, path = fake(tmp_path, "works"), tmp_path / "cache" / "encoder.json"
    path.parent.mkdir()
    for text in ("", "[]", "{", '{"key": 1, "found": {}}', "\x00"):
        path.write_text(text)
        assert (await Line(str(program), EncoderConfig(), Remembered(path), None, dev).best()).name == "vaapi"
    kept = json.loads(path.read_text())
    assert kept["found"]["h264_vaapi"] == "" and kept["key"][0].startswith("ffmpeg version")
    nowhere = Remembered(Path("/proc/nowhere/encoder.json"))
    assert (await Line(str(program), EncoderConfig(), nowhere, None, dev).best()).name == "vaapi"


async def test_the_real_ffmpeg_proves_libx264_and_refuses_what_is_not_there(tmp_path: Path) -> None:
    if not shutil.which("ffmpeg"):
        pytest.fail("ffmpeg")
    words = command(find(None), SOFTWARE, EncoderConfig(), "fmp4", probing.SIZE)
    assert await probing.examine(find(None), words) == ""
    assert "libx264" in await probing.listed(find(None))
    words = command(find(None), CODERS[4], EncoderConfig(device=tmp_path / "none"), "fmp4", probing.SIZE)
    assert "ended with status" in await probing.examine(find(None), words)
    with pytest.raises(NotReady, match="encoder h264_vaapi: "):
        await Line(find(None), EncoderConfig(encoder="vaapi"), None, None, tmp_path).best()


async def test_an_answer_does_not_wait_for_the_proof(
    dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "LIMIT", 30.0)
    line = Line(str(fake(tmp_path, "hangs")), EncoderConfig(), None, None, dev)
    look = asyncio.ensure_future(line.look(Alive()))
    await asyncio.sleep(0)
    begun = time.monotonic()
    assert await line.best() is SOFTWARE and time.monotonic() - begun < 10 and line.known_as == ""
    look.cancel()
    await asyncio.wait([look])
    assert look.cancelled() and psutil.Process().children() == [], "the proof was ended with it"


async def test_one_that_dies_in_service_hands_over_and_is_examined_again(
    dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "RECOVERY", 0.1)
    feed, program = Feed(), fake(tmp_path, "dies")
    line = Line(str(program), EncoderConfig(), remembered(tmp_path), feed, dev)
    encoder = FfmpegEncoder(str(program), EncoderConfig(), line)
    with feed.subscribe() as news:
        look = asyncio.ensure_future(line.look(Alive()))
        for answer in range(lines.DEATHS):
            chunks = [chunk async for chunk in encoder.encode(frames(100), "fmp4")]
            rest = [round(chunk.pts, 3) for chunk in chunks if not chunk.header]
            assert rest[:100] == [round(index / 25, 3) for index in range(100)]
            assert [chunk.header for chunk in chunks].count(True) == 3, "vaapi twice, then libx264"
            film = Film(joined([c for i, c in enumerate(chunks) if not c.header or i == 0]))
            assert len(film.pictures) == 100 and film.apart <= 0.04, "another encoder's pictures in the same stream"
            # The log is emptied, so that the proof succeeds as it did the first time.
            program.with_suffix(".log").write_text("")
            for _ in range(200 if answer < lines.DEATHS - 1 else 20):
                if encoder.known_as == "h264_vaapi":
                    break
                await asyncio.sleep(0.02)
            program.with_suffix(".log").write_text("1\n")
        assert encoder.known_as == "libx264", "three times are enough"
        told = [(event.engine, event.why) for event in news.waiting() if isinstance(event, EngineChanged)]
    assert [engine for engine, _ in told] == ["h264_vaapi", "libx264"] * lines.DEATHS and "it ended" in told[1][1]
    look.cancel()
    await asyncio.wait([look])


async def test_one_that_hangs_in_service_is_not_tried_again(
    dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HARDWARE_STARTING", 1.0)
    program = fake(tmp_path, "hangs")
    line = Line(str(program), EncoderConfig(), None, None, dev)
    line._serving = CODERS[4]
    film = Film(joined([c async for c in FfmpegEncoder("", EncoderConfig(), line).encode(frames(50), "fmp4")]))
    assert len(film.pictures) == 50 and film.apart <= 0.02
    assert started(program) == 1 and line.known_as == "libx264" and psutil.Process().children() == []


async def test_a_finished_film_whose_encoder_dies_can_be_made_again(dev: Path, tmp_path: Path) -> None:
    program = fake(tmp_path, "fails")
    line = Line(str(program), EncoderConfig(), None, None, dev)
    line._serving = CODERS[4]
    with pytest.raises(Exception, match="libva"):
        [chunk async for chunk in FfmpegEncoder("", EncoderConfig(), line).encode(frames(50), "mp4")]
    film = Film(joined([c async for c in FfmpegEncoder("", EncoderConfig(), line).encode(frames(50), "mp4")]))
    assert len(film.pictures) == 50 and line.known_as == "libx264"


def test_a_device_that_may_not_be_opened(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vaapi = CODERS[4]
    assert out_of_reach(vaapi, dev) == ""
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "no permission" in out_of_reach(vaapi, dev) and "usermod -aG" in out_of_reach(vaapi, dev)
    assert "there is no" in out_of_reach(CODERS[1], dev) and "video*" in out_of_reach(CODERS[1], dev)
    assert out_of_reach(SOFTWARE, dev) == ""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("container", ["fmp4", "mpegts", "mp4"])
def test_every_encoder_has_its_arguments(name: str, container: Any) -> None:
    coder = CODERS[NAMES.index(name)]
    words = command("ffmpeg", coder, EncoderConfig(), container, (640, 360))
    assert words[words.index("-c:v") + 1] == coder.codec and words[words.index("-g") + 1] == "25"
    assert ("-crf" in words) == (name == "libx264") and ("-b:v" in words) == (name != "libx264")
    assert ("-an" in words) == (container == "mp4") and ("-vaapi_device" in words) == (name == "vaapi")


def test_what_the_configuration_refuses(tmp_path: Path) -> None:
    for wrong in ({"encoder": "h265"}, {"fps": 30}, {"max_width": 10}, {"arguments": "-y /etc/passwd"}, {"crf": 52}):
        with pytest.raises(ConfigProblems, match="encoder"):
            from_mapping({"encoder": {"platform": "ffmpeg", **wrong}})
    plain = tmp_path / "ffmpeg"
    plain.write_text("")
    with pytest.raises(ConfigError, match=r"ffmpeg is not executable; leave it out"):
        find(plain)
    with pytest.raises(ConfigError, match=r"none does not exist"):
        find(tmp_path / "none")


async def test_a_house_names_the_encoder(scripted: Any, tmp_path: Path) -> None:
    display = {"platform": "file", "path": str(tmp_path / "film.mp4"), "pace": "fast"}
    async with open_house(scripted(encoder={"platform": "ffmpeg"}, display=display)) as house:
        assert house.engines()["encoder"] == "ffmpeg", "not opened yet"
        await (await house.door.say("Dinner is ready.", source="cli")).finished
        for _ in range(200):
            if house.engines()["encoder"] != "ffmpeg":
                break
            await asyncio.sleep(0.02)
        assert house.engines()["encoder"] == "libx264"


async def test_a_file_whose_encoder_is_killed_can_be_played(scripted: Any, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    display = {"platform": "file", "path": str(path), "pace": "real"}
    killed = []

    async def kill() -> None:
        while len(killed) < 2:
            for child in psutil.Process().children():
                if child.pid not in killed and path.stat().st_size > 3000 * (1 + len(killed)):
                    killed.append(child.pid)
                    child.kill()
            await asyncio.sleep(0.01)

    async with open_house(scripted(encoder={"platform": "ffmpeg"}, display=display)) as house:
        play = house.place.displays._sinks[0][1].play

        async def flashes() -> Any:
            async for one in frames(100):
                yield VideoFrame(np.array(one.pixels), one.audio, one.pts)

        await asyncio.gather(play(flashes()), kill())
    film = Film(path.read_bytes())
    assert len(killed) == 2 and len(film.pictures) == 100 and len(film.clicks) == 10 and film.apart <= 0.04
