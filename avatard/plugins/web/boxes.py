"""Fragmented MP4 cut into its initialisation segment and its fragments, however the bytes come.

Source: ISO/IEC 14496-12 (boxes, sample flags) and 14496-15 (avcC); codec strings as in RFC 6381.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

LARGEST = 8 * 1024 * 1024
"""Bytes in one box: more is no fragment of ours."""
NOT_SYNC = 0x10000
"""Of a sample's flags: it cannot be decoded alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """What can be given to a browser as one piece."""

    data: bytes
    initial: bool
    """An initialisation segment"""
    key: bool
    """Begins with a keyframe"""


class Cutter:
    """Takes bytes, gives whole segments."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._bytes = bytearray()
        self._segment = bytearray()
        self._key = True

    def feed(self, data: bytes) -> Iterator[Segment]:
        """Take bytes; yield the segments that are complete.

        Raises:
            ValueError: it is no MP4.
        """
        self._bytes += data
        while len(self._bytes) >= 8:
            size, kind = struct.unpack_from(">I4s", self._bytes)
            if not 8 <= size <= LARGEST or not kind.isalnum():
                raise ValueError(f"no MP4 box: {kind!r}, {size} bytes")
            if len(self._bytes) < size:
                return
            box = bytes(self._bytes[:size])
            del self._bytes[:size]
            yield from self._took(kind, box)

    def _took(self, kind: bytes, box: bytes) -> Iterator[Segment]:
        if kind == b"mfra":
            return
        if kind == b"moof":
            self._key = keyframe(box)
        self._segment += box
        if kind in (b"moov", b"mdat"):
            segment = Segment(bytes(self._segment), kind == b"moov", kind == b"mdat" and self._key)
            self._segment.clear()
            yield segment


def children(box: bytes, head: int = 8) -> Iterator[tuple[bytes, bytes]]:
    """The boxes inside a box, after ``head`` bytes of its own: (kind, whole box)."""
    at = head
    while at + 8 <= len(box):
        size, kind = struct.unpack_from(">I4s", box, at)
        if size < 8:
            return
        yield kind, box[at : at + size]
        at += size


def keyframe(moof: bytes) -> bool:
    """Whether the fragment's first picture can be decoded alone: so says its first track that has pictures."""
    for kind, traf in children(moof):
        if kind != b"traf":
            continue
        flags: int | None = None
        for inner, box in children(traf):
            if inner == b"tfhd":
                flags = _default(box)
            elif inner == b"trun":
                return not (_first(box, flags) or 0) & NOT_SYNC
    return True


def _default(tfhd: bytes) -> int | None:
    """The default sample flags of a track's fragment."""
    has = int.from_bytes(tfhd[9:12], "big")
    if not has & 0x20:
        return None
    at = 16 + 8 * bool(has & 0x1) + 4 * bool(has & 0x2) + 4 * bool(has & 0x8) + 4 * bool(has & 0x10)
    return int.from_bytes(tfhd[at : at + 4], "big")


def _first(trun: bytes, default: int | None) -> int | None:
    """The flags of a run's first sample."""
    has = int.from_bytes(trun[9:12], "big")
    at = 16 + 4 * bool(has & 0x1)
    if has & 0x4:
        return int.from_bytes(trun[at : at + 4], "big")
    if has & 0x400:
        at += 4 * bool(has & 0x100) + 4 * bool(has & 0x200)
        return int.from_bytes(trun[at : at + 4], "big")
    return default


def codecs(initial: bytes) -> str:
    """What a browser is asked whether it can play it: from the avcC box, not a guess; empty where there is none."""
    at = initial.find(b"avcC")
    if at < 0 or len(initial) < at + 8:
        return ""
    picture = "avc1." + initial[at + 5 : at + 8].hex().upper()
    return picture + (", mp4a.40.2" if b"mp4a" in initial else "")
