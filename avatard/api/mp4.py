"""Fragmented MP4: whole boxes from a stream of bytes, its tracks, and the names of its codecs.

Source: ISO/IEC 14496-12 (boxes), 14496-15 (avcC), 14496-1 (esds), RFC 6381 (codec strings).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

LARGEST = 64 << 20
"""Bytes in one box of a stream: far beyond any picture, and still a bound for what is no MP4."""
VISUAL, AUDIO = 78, 28
"""Bytes of a sample entry before the boxes inside it."""
ES, DECODER_CONFIG, DECODER_SPECIFIC = 3, 4, 5
"""Tags of MPEG-4 descriptors."""


class NotMp4(ValueError):
    """These bytes are no MP4."""


@dataclass(frozen=True, slots=True)
class Box:
    """A whole box of a stream, with its head."""

    kind: str
    """four characters, e.g. ``moof``"""
    data: bytes


@dataclass(frozen=True, slots=True)
class Track:
    """What a header says of a track."""

    id: int
    kind: str
    """``vide`` or ``soun``"""
    timescale: int
    """units a second"""
    sample_flags: int
    """of a sample for which a fragment says nothing else"""


class Boxes:
    """Cuts a stream into its boxes, however it comes in pieces."""

    def __init__(self, largest: int = LARGEST) -> None:
        """Refuse boxes of more bytes than this."""
        self._largest = largest
        self._data = bytearray()

    @property
    def waiting(self) -> int:
        """Bytes of a box that is not complete yet."""
        return len(self._data)

    def feed(self, data: bytes) -> Iterator[Box]:
        """Take the next piece; yield the boxes that it completes.

        Raises:
            NotMp4: what comes next is no box, or too large a one.
        """
        self._data += data
        while (head := _head(self._data, 0, len(self._data))) is not None:
            kind, _, size = head
            if size > self._largest:
                raise NotMp4(f"a box '{kind}' of {size} bytes; the limit is {self._largest}")
            if size > len(self._data):
                return
            whole = bytes(self._data[:size])
            del self._data[:size]
            yield Box(kind, whole)


def walk(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[tuple[str, int, int]]:
    """Yield (kind, where its content begins, where it ends) of the boxes that lie side by side in ``data``.

    Raises:
        NotMp4: one of them is cut off, or is none.
    """
    end = len(data) if end is None else end
    while begin < end:
        head = _head(data, begin, end)
        if head is None or begin + head[2] > end:
            raise NotMp4(f"a box is cut off at byte {begin}")
        kind, length, size = head
        yield kind, begin + length, begin + size
        begin += size


def find(data: bytes, *path: str, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield where the content of each box at this path begins and ends, e.g. ``find(data, "moov", "trak")``.

    Raises:
        NotMp4: a box on the way is cut off, or is none.
    """
    for kind, inner, outer in walk(data, begin, end):
        if kind == path[0]:
            if len(path) == 1:
                yield inner, outer
            else:
                yield from find(data, *path[1:], begin=inner, end=outer)


def number(data: bytes, at: int, size: int = 4) -> int:
    """The unsigned number there.

    Raises:
        NotMp4: there are too few bytes.
    """
    if not 0 <= at <= len(data) - size:
        raise NotMp4(f"cut off at byte {at}")
    return int.from_bytes(data[at : at + size], "big")


def tracks(header: bytes) -> tuple[Track, ...]:
    """The tracks of a header (ftyp and moov), in its order.

    Raises:
        NotMp4: it is none.
    """
    flags = {number(header, at + 4): number(header, at + 20) for at, _ in find(header, "moov", "mvex", "trex")}
    found = []
    for begin, end in find(header, "moov", "trak"):
        tkhd = _one(header, begin, end, "tkhd")
        mdhd = _one(header, begin, end, "mdia", "mdhd")
        hdlr = _one(header, begin, end, "mdia", "hdlr")
        # Version 1 has times of eight bytes.
        id = number(header, tkhd + (20 if number(header, tkhd, 1) == 1 else 12))
        timescale = number(header, mdhd + (20 if number(header, mdhd, 1) == 1 else 12))
        if timescale == 0:
            raise NotMp4("a track without a timescale")
        kind = header[hdlr + 8 : hdlr + 12].decode("latin-1")
        found.append(Track(id, kind, timescale, flags.get(id, 0)))
    return tuple(found)


def codecs(header: bytes) -> str:
    """The codecs of a header as browsers want them named: ``avc1.42C01E, mp4a.40.2``.

    Raises:
        NotMp4: it is no header, or has no track.
    """
    names = []
    for begin, end in find(header, "moov", "trak", "mdia", "minf", "stbl", "stsd"):
        for kind, inner, outer in walk(header, begin + 8, end):
            names.append(_codec(header, kind, inner, outer))
    if not names:
        raise NotMp4("a header without a track")
    return ", ".join(names)


def _head(data: bytes | bytearray, begin: int, end: int) -> tuple[str, int, int] | None:
    """Kind, length of the head and size of the box there; None where its head is not complete."""
    if end - begin < 8:
        return None
    kind = bytes(data[begin + 4 : begin + 8])
    if not all(32 <= character < 127 or character == 0xA9 for character in kind):
        raise NotMp4(f"no box: {bytes(data[begin : begin + 8]).hex()}")
    length, size = 8, int.from_bytes(data[begin : begin + 4], "big")
    if size == 1:
        if end - begin < 16:
            return None
        length, size = 16, int.from_bytes(data[begin + 8 : begin + 16], "big")
    if size < length:
        raise NotMp4(f"a box '{kind.decode('latin-1')}' of {size} bytes")
    return kind.decode("latin-1"), length, size


def _one(data: bytes, begin: int, end: int, *path: str) -> int:
    for inner, _ in find(data, *path, begin=begin, end=end):
        return inner
    raise NotMp4(f"a track without {path[-1]}")


def _codec(data: bytes, kind: str, begin: int, end: int) -> str:
    if kind in ("avc1", "avc3"):
        for inner, outer in find(data, "avcC", begin=begin + VISUAL, end=end):
            if outer - inner >= 4:
                return f"{kind}.{data[inner + 1 : inner + 4].hex().upper()}"
        raise NotMp4("H.264 without avcC")
    if kind == "mp4a":
        for inner, outer in find(data, "esds", begin=begin + AUDIO, end=end):
            return f"mp4a.{_audio_object(data, inner + 4, outer)}"
        raise NotMp4("AAC without esds")
    return kind


def _audio_object(data: bytes, at: int, end: int) -> str:
    """Object type and, for MPEG-4 audio, its kind: ``40.2`` is AAC-LC."""
    at = _descriptor(data, at, end, ES)
    flags = number(data, at + 2, 1)
    at += 3 + 2 * (flags >> 7 & 1)
    if flags >> 6 & 1:
        at += 1 + number(data, at, 1)
    at += 2 * (flags >> 5 & 1)
    at = _descriptor(data, at, end, DECODER_CONFIG)
    type = number(data, at, 1)
    if type != 0x40:
        return f"{type:02X}"
    at = _descriptor(data, at + 13, end, DECODER_SPECIFIC)
    bits = number(data, at, 2)
    kind = bits >> 11
    return f"40.{32 + (bits >> 5 & 63) if kind == 31 else kind}"


def _descriptor(data: bytes, at: int, end: int, tag: int) -> int:
    """Where the content of the descriptor there begins."""
    if number(data, at, 1) != tag:
        raise NotMp4(f"no descriptor {tag} at byte {at}")
    for length in range(1, 5):
        if number(data, at + length, 1) < 128:
            if at + length >= end:
                break
            return at + length + 1
    raise NotMp4(f"a descriptor is cut off at byte {at}")
