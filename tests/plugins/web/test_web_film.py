"""The H.264 stream: one encoder for all who want it, real ffmpeg, decoded to be sure."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from web import Viewer, configured, paged

from avatard.api.flow import EncodedChunk
from avatard.api.mp4 import NotMp4
from avatard.plugins.web.film import Film

WORDS = "one two three four five. six seven eight nine ten. eleven twelve thirteen fourteen fifteen."
FACE = {"avatar": {"render": [{"platform": "scripted", "size": 128}]}}
REAL: dict[str, Any] = {"encoder": {"platform": "ffmpeg"}, **FACE}


def decoded(viewer: Viewer) -> tuple[list[float], list[Any]]:
    """The times of the pictures and the sound of what a browser was given."""
    data = b"".join(b.data for b in viewer.binaries if b.kind == 2)
    with av.open(io.BytesIO(data), format="mp4") as container:
        pictures: list[float] = []
        sound: list[Any] = []
        for frame in container.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                pictures.append(float(frame.time))
            else:
                sound.append(frame.to_ndarray())
    return pictures, sound


async def test_it_is_a_stream_that_browsers_play_and_the_sound_is_in_it() -> None:
    async with paged(configured(**REAL)) as pages, pages.viewer(stream="h264") as viewer:
        assert (await viewer.until("welcome"))["stream"] == "h264"
        await viewer.command("say", text=WORDS)
        end = await viewer.until("end")
    begin = next(t for t in viewer.texts if t["type"] == "begin")
    assert begin["stream"] == "h264" and begin["codecs"].startswith("avc1.") and "mp4a.40.2" in begin["codecs"]
    pieces = viewer.binaries
    assert {b.kind for b in pieces} == {2} and pieces[0].flags == 1 and pieces[1].flags == 2
    pictures, sound = decoded(viewer)
    assert len(pictures) == round(end["duration"] * 25) and np.allclose(np.diff(pictures), 0.04)
    assert np.abs(np.concatenate(sound, axis=1)).max() > 0.05
    assert viewer.order.index(begin) < viewer.order.index(pieces[0])
    assert next(t["text"] for t in viewer.texts if t["type"] == "sentence") == "one two three four five."


async def test_an_encoder_that_is_slow_to_begin_costs_no_subtitle(tmp_path: Path) -> None:
    """The second sentence is handed over before the stream that begins with the first one is there."""
    slow = tmp_path / "ffmpeg"
    slow.write_text('#!/bin/sh\ncase "$*" in *pipe*) sleep 0.9;; esac\nexec ffmpeg "$@"\n')
    slow.chmod(0o755)
    config = configured(encoder={"platform": "ffmpeg", "path": str(slow)}, **FACE)
    async with paged(config) as pages, pages.viewer(stream="h264") as viewer:
        await viewer.until("welcome")
        await viewer.command("say", text=WORDS)
        await viewer.until("end")
    said = {t["index"]: (t["text"], t["pts"]) for t in viewer.texts if t["type"] == "sentence"}
    assert [t["stream"] for t in viewer.texts if t["type"] == "begin"] == ["h264"]
    assert list(said.values()) == [(f"{text.strip('.')}.", float(at)) for at, text in enumerate(WORDS.split(". "))]


async def test_both_streams_side_by_side_and_one_encoder_for_all() -> None:
    async with paged(configured(**REAL)) as pages:
        async with pages.viewer(stream="h264") as one, pages.viewer(stream="h264") as two, pages.viewer() as three:
            for viewer in (one, two, three):
                await viewer.until("welcome")
            await three.send(type="say", id=1, text=WORDS)
            await asyncio.gather(*(viewer.until("end") for viewer in (one, two, three)))
    assert [b.data for b in one.binaries] == [b.data for b in two.binaries]
    assert {b.kind for b in three.binaries} == {1} and all(b.data for b in three.binaries)


async def test_who_comes_late_gets_the_beginning_and_the_newest_keyframe() -> None:
    async with paged(configured(**REAL)) as pages, pages.viewer(stream="h264") as first:
        await first.until("welcome")
        await first.send(type="say", id=1, text=WORDS)
        while not any(b.pts > 1.6 for b in first.binaries):
            await first.read()
        async with pages.viewer(stream="h264") as late:
            welcome = await late.until("welcome")
            await late.until("end")
        await first.until("end")
    assert welcome["answer"]["stream"] == "h264" and welcome["answer"]["codecs"].startswith("avc1.")
    assert late.binaries[0].flags == 1 and late.binaries[1].flags == 2
    pictures, _ = decoded(late)
    assert 0.9 < pictures[0] < 1.8 and np.allclose(np.diff(pictures), 0.04)
    assert late.binaries[-1].data == first.binaries[-1].data


async def test_without_an_encoder_there_are_pictures() -> None:
    config = configured(encoder={"platform": "ffmpeg", "path": "/there/is/no/ffmpeg"})
    async with paged(config) as pages, pages.viewer(stream="h264") as viewer:
        await viewer.until("welcome")
        await viewer.command("say", text="one two three")
        await viewer.until("end")
    assert viewer.binaries and {b.kind for b in viewer.binaries} == {1}


@pytest.mark.parametrize("after", [None, 40])
async def test_where_the_encoder_fails_pictures_go_on(after: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted encoder's stream is no MP4; and a real one that breaks off in the middle."""
    if after is not None:
        give, given = Film._give, []

        def broken(self: Film, chunk: EncodedChunk, number: int) -> None:
            given.append(chunk)
            if len(given) > after:
                raise NotMp4("as the test says")
            give(self, chunk, number)

        monkeypatch.setattr(Film, "_give", broken)
    config = configured(**(REAL if after else {}))
    async with paged(config) as pages, pages.viewer(stream="h264") as viewer, pages.viewer() as other:
        await viewer.until("welcome")
        await other.until("welcome")
        await viewer.send(type="say", id=1, text=WORDS)
        turn, _ = await asyncio.gather(viewer.until("turn"), other.until("turn"))
    begins = [t["stream"] for t in viewer.texts if t["type"] == "begin"]
    assert begins == (["canvas"] if after is None else ["h264", "canvas"]), begins
    frames = [b for b in viewer.binaries if b.kind == 1]
    assert frames[0].data and frames[-1].pts == other.binaries[-1].pts
    assert np.allclose(np.diff([f.pts for f in frames]), 0.04)
    assert not turn["error"] and not turn["interrupted"]
    assert [round(b.pts * 25) for b in other.binaries] == list(range(75))


async def test_nobody_wants_it_no_encoder_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    monkeypatch.setattr("avatard.plugins.web.film.Film.__init__", lambda *_: started.append(1))
    async with paged(configured(**REAL)) as pages, pages.viewer() as viewer:
        await viewer.until("welcome")
        await viewer.command("say", text="one two three")
        await viewer.until("end")
    assert not started
