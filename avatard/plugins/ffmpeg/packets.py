"""ffmpeg's MPEG-TS as chunks of whole packets, one for each picture.

Source: ISO/IEC 13818-1: packets, adaptation field, PES header.
"""

from __future__ import annotations

from collections.abc import Iterator

from avatard.api.flow import EncodedChunk

PACKET = 188
SYNC = 0x47
CLOCK = 90_000
"""Hz"""
WRAP = 1 << 33
"""Where its clock begins anew."""


class NotTransport(ValueError):
    """These bytes are no MPEG-TS."""


class Packets:
    """Cuts one ffmpeg's output."""

    def __init__(self, origin: float) -> None:
        """Its first picture belongs to ``origin``, seconds."""
        self._origin = self._pts = origin
        self._first: int | None = None
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[EncodedChunk]:
        """Take what came out; yield it in whole packets.

        Raises:
            NotTransport: it is no MPEG-TS.
        """
        data = self._rest + data
        whole = len(data) // PACKET * PACKET
        self._rest = data[whole:]
        begin, keyframe, seen = 0, False, False
        for at in range(0, whole, PACKET):
            if data[at] != SYNC:
                raise NotTransport(f"no packet begins at byte {at}: {data[at : at + 4].hex()}")
            time = _picture_time(data[at : at + PACKET])
            if (seen and time is not None) or (keyframe and _tables(data, at)):
                yield EncodedChunk(data[begin:at], self._pts, keyframe)
                begin, keyframe, seen = at, False, False
            if time is not None:
                self._first = time if self._first is None else self._first
                self._pts = self._origin + (time - self._first) % WRAP / CLOCK
                keyframe, seen = _random_access(data[at : at + PACKET]), True
        if begin < whole:
            yield EncodedChunk(data[begin:whole], self._pts, keyframe)


def _tables(data: bytes, at: int) -> bool:
    """Whether the packet there holds the table of programmes, with which a reader may begin."""
    return int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF == 0


def _random_access(packet: bytes) -> bool:
    return bool(packet[3] & 0x20 and packet[4] > 0 and packet[5] & 0x40)


def _picture_time(packet: bytes) -> int | None:
    """The presentation time of the picture that begins in this packet, if one does."""
    if not packet[1] & 0x40 or not packet[3] & 0x10:
        return None
    at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    head = packet[at : at + 14]
    if len(head) < 14 or head[:3] != b"\0\0\1" or head[3] & 0xF0 != 0xE0 or not head[7] & 0x80:
        return None
    return (head[9] >> 1 & 7) << 30 | head[10] << 22 | head[11] >> 1 << 15 | head[12] << 7 | head[13] >> 1
