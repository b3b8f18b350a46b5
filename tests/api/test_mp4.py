"""Boxes from a stream of bytes, however it is cut, and the codecs' names."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatard.api.mp4 import Box, Boxes, NotMp4, codecs, find, tracks, walk


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return (len(body) + 8).to_bytes(4, "big") + kind + body


def wide(kind: bytes, body: bytes) -> bytes:
    """A box with a size of eight bytes."""
    return (1).to_bytes(4, "big") + kind + (len(body) + 16).to_bytes(8, "big") + body


def track(id: int, kind: bytes, timescale: int, entry: bytes) -> bytes:
    tkhd = box(b"tkhd", bytes(12), id.to_bytes(4, "big"), bytes(68))
    mdhd = box(b"mdhd", bytes(12), timescale.to_bytes(4, "big"), bytes(8))
    stsd = box(b"stsd", bytes(4), (1).to_bytes(4, "big"), entry)
    hdlr = box(b"hdlr", bytes(8), kind, bytes(13))
    return box(b"trak", tkhd, box(b"mdia", mdhd, hdlr, box(b"minf", box(b"stbl", stsd))))


AVC = box(b"avc1", bytes(78), box(b"avcC", bytes((1, 0x4D, 0x40, 0x1F, 0xFF))))
# Lengths in the long form, as some writers have them.
ESDS = bytes.fromhex("00000000 03 80808022 0001 00 04 80808014 40 15 000000 0001f400 0001f400 05 80808002 1188")
AAC = box(b"mp4a", bytes(28), box(b"esds", ESDS))
TREX = box(b"mvex", box(b"trex", bytes(4), (1).to_bytes(4, "big"), bytes(12), (0x10000).to_bytes(4, "big")))
HEADER = box(b"ftyp", b"isom") + box(b"moov", track(1, b"vide", 12_800, AVC), track(2, b"soun", 48_000, AAC), TREX)
STREAM = HEADER + box(b"moof") + box(b"mdat", b"x" * 300) + wide(b"mdat", b"y" * 70) + box(b"free")


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_any_cut_gives_the_same_boxes(cuts: list[int]) -> None:
    boxes, found = Boxes(), []
    edges = [0, *sorted(cuts), len(STREAM)]
    for begin, end in pairwise(edges):
        found += boxes.feed(STREAM[begin:end])
    assert [one.kind for one in found] == ["ftyp", "moov", "moof", "mdat", "mdat", "free"]
    assert b"".join(one.data for one in found) == STREAM and boxes.waiting == 0


@given(st.binary(min_size=8, max_size=200))
def test_garbage_is_refused_or_waits(data: bytes) -> None:
    boxes = Boxes(1000)
    try:
        found = list(boxes.feed(data))
    except NotMp4:
        return
    assert sum(len(one.data) for one in found) + boxes.waiting == len(data)
    assert boxes.waiting < 1000


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\0\0\0\7mdat", "of 7 bytes"), (b"\0\0\0\0mdat", "of 0 bytes"), (b"\0\0\1\0\0\1\2\3", "no box"),
     (b"\0\1\0\0mdat", "the limit is 1000"), (b"\0\0\0\1mdat\0\0\0\0\0\0\0\4", "of 4 bytes")],
)  # fmt: skip
def test_what_is_wrong_with_a_box_is_said(data: bytes, message: str) -> None:
    boxes = Boxes(1000)
    assert list(boxes.feed(box(b"free"))) == [Box("free", box(b"free"))]
    with pytest.raises(NotMp4, match=message):
        list(boxes.feed(data))


def test_a_whole_box_before_garbage_is_not_lost() -> None:
    feed = Boxes().feed(box(b"free") + b"\xff" * 8)
    assert next(feed).kind == "free"
    with pytest.raises(NotMp4):
        next(feed)


def test_codecs_and_tracks() -> None:
    assert codecs(HEADER) == "avc1.4D401F, mp4a.40.2"
    video, sound = tracks(HEADER)
    assert (video.id, video.kind, video.timescale, video.sample_flags) == (1, "vide", 12_800, 0x10000)
    assert (sound.id, sound.kind, sound.timescale, sound.sample_flags) == (2, "soun", 48_000, 0)
    assert len(list(find(HEADER, "moov", "trak", "mdia"))) == 2 and [k for k, _, _ in walk(HEADER)] == ["ftyp", "moov"]


@given(st.integers(0, len(HEADER)), st.integers(0, len(HEADER) - 1), st.integers(0, 255))
def test_a_broken_header_is_refused_and_nothing_else(end: int, at: int, value: int) -> None:
    broken = bytearray(HEADER)
    broken[at] = value
    for data in (HEADER[:end], bytes(broken)):
        for read in (codecs, tracks):
            try:
                read(data)
            except NotMp4:
                continue
    if 12 <= end < len(HEADER):
        with pytest.raises(NotMp4):
            codecs(HEADER[:end])
