"""The real ffmpeg: whole fragments in step with their sound, and an answer that outlives its encoder."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from typing import Any

import av
import numpy as np
import psutil
import pytest
from counting import threads_begun
from films import Film, frame, frames, joined
from hypothesis import given, settings
from hypothesis import strategies as st

from avatard.api.errors import StageFailed
from avatard.api.flow import EncodedChunk, VideoFrame
from avatard.api.mp4 import codecs, tracks, walk
from avatard.plugins.ffmpeg.config import EncoderConfig
from avatard.plugins.ffmpeg.encoder import FfmpegEncoder, find
from avatard.plugins.ffmpeg.fragments import Fragments
from avatard.plugins.ffmpeg.packets import NotTransport, Packets
from avatard.plugins.ffmpeg.process import STUCK

PTS = [index / 25 for index in range(60)]


def encoder(**options: Any) -> FfmpegEncoder:
    return FfmpegEncoder(find(None), EncoderConfig(**options))


async def made(source: Any, container: Any = "fmp4", **options: Any) -> list[EncodedChunk]:
    return [chunk async for chunk in encoder(**options).encode(source, container)]


def kinds(data: bytes) -> list[str]:
    return [kind for kind, _, _ in walk(data)]


async def test_each_chunk_is_the_header_or_one_whole_fragment() -> None:
    header, *rest = await made(frames(60))
    assert header.header and kinds(header.data) == ["ftyp", "moov"]
    with av.open(io.BytesIO(joined([header, *rest]))) as media:
        extradata = media.streams.video[0].codec_context.extradata
    assert codecs(header.data) == f"avc1.{extradata[1:4].hex().upper()}, mp4a.40.2"
    assert [track.kind for track in tracks(header.data)] == ["vide", "soun"]
    assert all(kinds(chunk.data)[-2:] == ["moof", "mdat"] and not chunk.header for chunk in rest)
    assert [round(chunk.pts, 3) for chunk in rest][:60] == PTS and len(rest) <= 61
    assert [chunk.pts for chunk in rest if chunk.keyframe] == [0.0, 1.0, 2.0]


async def test_picture_and_sound_are_in_step() -> None:
    film = Film(joined(await made(frames(60))))
    assert len(film.pictures) == 60 and np.allclose([at for at, _ in film.pictures], PTS) and film.sound >= 2.4
    assert len(film.clicks) == 6 and film.apart <= 0.02
    assert np.allclose(film.flashes, np.arange(0.2, 2.4, 0.4), atol=0.001)


async def test_a_stream_that_begins_later_keeps_its_times() -> None:
    header, *rest = await made(frames(60, start=100))
    assert [round(chunk.pts, 3) for chunk in (header, *rest)][:4] == [4.0, 4.0, 4.04, 4.08]
    film = Film(joined([header, *rest]))
    assert np.allclose(film.flashes, np.arange(4.2, 6.4, 0.4), atol=0.001) and film.apart <= 0.02


async def test_transport_packets() -> None:
    chunks = await made(frames(60, start=50), "mpegts")
    assert all(len(chunk.data) % 188 == 0 and chunk.data[0] == 0x47 for chunk in chunks)
    assert sorted({round(chunk.pts, 3) for chunk in chunks}) == [round(2 + at, 3) for at in PTS]
    assert {chunk.pts for chunk in chunks if chunk.keyframe} == {2.0, 3.0, 4.0}
    film = Film(joined(chunks))
    assert len(film.pictures) == 60 and len(film.clicks) == 6 and film.apart <= 0.02


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_any_cut_of_a_transport_stream_loses_no_packet(steps: list[int]) -> None:
    packet = b"\x47\x00\x11\x10" + bytes(184)
    data, packets, out, at = packet * 40, Packets(0.0), b"", 0
    for step in [*steps, len(packet) * 40]:
        out += b"".join(chunk.data for chunk in packets.feed(data[at : at + step]))
        at += step
    assert out == data
    with pytest.raises(NotTransport):
        list(packets.feed(b"\0" * 188))


async def test_a_finished_film_can_be_sought_in_and_is_silent() -> None:
    data = joined(await made(frames(50), "mp4"))
    assert kinds(data)[:2] == ["ftyp", "moov"] and "moof" not in kinds(data) and codecs(data).startswith("avc1.")
    film = Film(data)
    assert len(film.pictures) == 50 and film.sound == 0
    half = Film(joined(await made(frames(50), "mp4", fps=12.5)))
    assert np.allclose([at for at, _ in half.pictures], np.arange(0, 2, 0.08))


@pytest.mark.parametrize("size", [(96, 128), (720, 1280)])
@pytest.mark.parametrize("container", ["fmp4", "mpegts", "mp4"])
async def test_colours_say_what_they_are_at_any_size(container: Any, size: tuple[int, int]) -> None:
    colour = np.array([40, 90, 200], np.uint8)

    async def red() -> AsyncIterator[VideoFrame]:
        for index in range(5):
            yield VideoFrame(np.full((*size, 3), colour, np.uint8), np.zeros(1920, np.int16), index / 25)

    with av.open(io.BytesIO(joined(await made(red(), container)))) as media:
        one = next(media.decode(video=0))
        assert (one.colorspace, one.color_range) == (6, 1)
        shown = one.to_ndarray(format="bgr24")[size[0] // 2, size[1] // 2].astype(int)
    assert np.abs(shown - colour).max() <= 4, shown


@pytest.mark.parametrize(
    ("size", "options", "expected"),
    [((90, 160), {"max_width": 100}, (100, 56)), ((91, 161), {}, (160, 90)),
     ((200, 100), {"max_height": 120}, (60, 120)),
     ((90, 160), {"max_width": 1000, "bitrate_kbps": 200, "quality": "low", "preset": "superfast"}, (160, 90))],
)  # fmt: skip
async def test_sizes_are_even_and_in_proportion(size: Any, options: Any, expected: Any) -> None:
    film = Film(joined(await made(frames(8, size=size), **options)))
    assert film.sizes == {expected} and len(film.pictures) == 8


async def test_half_the_pictures_and_all_the_sound() -> None:
    header, *rest = await made(frames(50), fps=12.5)
    film = Film(joined([header, *rest]))
    assert np.allclose([at for at, _ in film.pictures], np.arange(0, 2, 0.08)) and film.sound >= 2.0
    assert len(film.clicks) == 5


async def test_pictures_that_are_repeated_and_that_change_their_size() -> None:
    async def mixed() -> Any:
        for index in range(30):
            one = frame(index, (96, 128) if index < 15 else (48, 64))
            yield VideoFrame(None if index % 5 == 2 else one.pixels, one.audio, one.pts)

    chunks = await made(mixed())
    assert [chunk.header for chunk in chunks].count(True) == 2, "another size begins anew"
    assert [round(c.pts, 3) for c in chunks if not c.header and c.pts < 1.2 - 0.03][-1] == 1.16


async def watched(source: Any, harm: Any, encoder: FfmpegEncoder, container: Any = "fmp4") -> tuple[list, float]:
    """Encode; ``harm(chunks, process)`` is called at each chunk. Also the longest silence between two chunks."""
    chunks: list[EncodedChunk] = []
    last, longest = time.monotonic(), 0.0
    async for chunk in encoder.encode(source, container):
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
        chunks.append(chunk)
        for child in psutil.Process().children():
            harm(chunks, child)
    return chunks, longest


async def left(threads: int, files: int) -> tuple[int, int, list[Any]]:
    """Threads, descriptors and children that came about and stayed."""
    me = psutil.Process()
    for _ in range(100):
        now = (threads_begun() - threads, me.num_fds() - files, me.children())
        if now[0] <= 0:
            break
        await asyncio.sleep(0.02)
    return now


def begun_again(chunks: list[EncodedChunk], count: int) -> None:
    """Every frame came out once, in order, and the stream began so often."""
    rest = [round(chunk.pts, 3) for chunk in chunks if not chunk.header]
    assert rest[:count] == [round(index / 25, 3) for index in range(count)]
    film = Film(joined([c for i, c in enumerate(chunks) if not c.header or i == 0]))
    assert len(film.pictures) == count and film.apart <= 0.04 and len(film.clicks) == count // 10


@pytest.mark.parametrize("how", ["kill", "suspend"])
async def test_an_encoder_that_dies_or_hangs_in_mid_answer(how: str) -> None:
    me = psutil.Process()
    threads, files = threads_begun(), me.num_fds()
    hit: list[int] = []

    def harm(chunks: list[EncodedChunk], child: psutil.Process) -> None:
        if len(chunks) == 30 and not hit:
            hit.append(child.pid)
            getattr(child, how)()

    chunks, longest = await watched(frames(120, real=True), harm, encoder())
    begun_again(chunks, 120)
    assert [chunk.header for chunk in chunks].count(True) == 2 and STUCK < 2 and longest < 4
    assert await left(threads, files) <= (0, 0, [])


async def test_ten_kills_in_a_row_end_nothing() -> None:
    me = psutil.Process()
    threads, files = threads_begun(), me.num_fds()
    killed: set[int] = set()

    def harm(chunks: list[EncodedChunk], child: psutil.Process) -> None:
        if not chunks[-1].header and child.pid not in killed and len(killed) < 10:
            killed.add(child.pid)
            child.kill()

    chunks, _ = await watched(frames(120, real=True), harm, encoder())
    assert len(killed) == 10
    begun_again(chunks, 120)
    assert await left(threads, files) <= (0, 0, [])


async def test_a_killed_transport_stream_goes_on() -> None:
    hit: list[int] = []

    def harm(chunks: list[EncodedChunk], child: psutil.Process) -> None:
        if chunks[-1].pts > 1 and not hit:
            hit.append(child.pid)
            child.kill()

    chunks, _ = await watched(frames(100, real=True), harm, encoder(), "mpegts")
    assert hit and all(len(chunk.data) % 188 == 0 for chunk in chunks)
    film = Film(joined(chunks))
    assert len(film.clicks) == 10 and len(film.pictures) >= 98
    assert np.allclose(np.diff(film.clicks), 0.4, atol=0.03)


async def test_an_encoder_that_can_never_begin_is_given_up() -> None:
    with pytest.raises(StageFailed, match="it ended"):
        await anext(FfmpegEncoder("/bin/false", EncoderConfig()).encode(frames(500), "fmp4"))
    assert psutil.Process().children() == []


def test_a_fragment_before_its_header_is_refused() -> None:
    with pytest.raises(ValueError, match="before the header"):
        list(Fragments(0.0).feed(b"\0\0\0\x08moof"))
    with pytest.raises(ValueError, match="no box"):
        list(Fragments(0.0).feed(b"\0\0\1\0\0\0\0\0"))
