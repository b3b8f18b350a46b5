"""ffmpeg's fragmented MP4 as chunks: the header, then whole fragments, their times counted from the frames'."""

from __future__ import annotations

from collections.abc import Iterator

from avatard.api.flow import EncodedChunk
from avatard.api.mp4 import Box, Boxes, NotMp4, Track, find, number, tracks

BEFORE = ("styp", "sidx", "prft", "emsg")
"""Boxes that belong to the fragment behind them."""
NOT_SYNC = 0x10000
"""Of a sample's flags: nothing can begin with it."""


class Fragments:
    """Cuts one ffmpeg's output."""

    def __init__(self, origin: float) -> None:
        """Its first picture belongs to ``origin``, seconds; ffmpeg itself counts from 0."""
        self._origin = origin
        self._boxes = Boxes()
        self._parts: list[bytes] = []
        self._tracks: dict[int, Track] = {}

    def feed(self, data: bytes) -> Iterator[EncodedChunk]:
        """Take what came out; yield the chunks that it completes.

        Raises:
            NotMp4: it is no fragmented MP4.
        """
        for box in self._boxes.feed(data):
            if box.kind == "moov":
                header = b"".join((*self._parts, box.data))
                self._tracks = {track.id: track for track in tracks(header)}
                self._parts = []
                yield EncodedChunk(header, self._origin, True, header=True)
            elif box.kind == "ftyp" or box.kind in BEFORE:
                self._parts.append(box.data)
            elif box.kind == "moof":
                self._parts.append(self._placed(box))
            elif box.kind == "mdat":
                yield self._fragment(box)
            if len(self._parts) > 16:
                raise NotMp4("boxes without an mdat")

    def _placed(self, moof: Box) -> bytes:
        """The fragment's head with its times moved to where its frames belong."""
        if not self._tracks:
            raise NotMp4("a fragment before the header")
        data = bytearray(moof.data)
        for begin, end in find(moof.data, "moof", "traf"):
            track = self._track(moof.data, begin, end)
            for at, _ in find(moof.data, "tfdt", begin=begin, end=end):
                size = 8 if number(moof.data, at, 1) == 1 else 4
                time = number(moof.data, at + 4, size) + round(self._origin * track.timescale)
                data[at + 4 : at + 4 + size] = (time % (1 << 8 * size)).to_bytes(size, "big")
        return bytes(data)

    def _fragment(self, mdat: Box) -> EncodedChunk:
        data = b"".join((*self._parts, mdat.data))
        self._parts = []
        times: dict[str, tuple[float, bool]] = {}
        for begin, end in find(data, "moof", "traf"):
            track = self._track(data, begin, end)
            times.setdefault(track.kind, _first(data, begin, end, track))
        if not times:
            raise NotMp4("an mdat without a moof")
        pts, sync = times.get("vide") or (next(iter(times.values()))[0], False)
        return EncodedChunk(data, pts, sync)

    def _track(self, data: bytes, begin: int, end: int) -> Track:
        for at, _ in find(data, "tfhd", begin=begin, end=end):
            if track := self._tracks.get(number(data, at + 4)):
                return track
        raise NotMp4("a fragment of no track")


def _first(data: bytes, begin: int, end: int, track: Track) -> tuple[float, bool]:
    """When a track's first sample in the fragment is shown, and whether one can begin with it."""
    flags, time, offset = track.sample_flags, 0, 0
    for at, _ in find(data, "tfhd", begin=begin, end=end):
        given = number(data, at) & 0xFFFFFF
        if given & 0x20:
            sizes = ((0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4))
            flags = number(data, at + 8 + sum(size for bit, size in sizes if given & bit))
    for at, _ in find(data, "tfdt", begin=begin, end=end):
        time = number(data, at + 4, 8 if number(data, at, 1) == 1 else 4)
    for at, _ in find(data, "trun", begin=begin, end=end):
        given, position = number(data, at) & 0xFFFFFF, at + 8 + 4 * (number(data, at) & 1)
        if given & 0x4:
            flags, position = number(data, position), position + 4
        position += 4 * bool(given & 0x100) + 4 * bool(given & 0x200)
        if given & 0x400:
            flags, position = number(data, position), position + 4
        if given & 0x800:
            # In version 0 it is unsigned, but no encoder here puts a picture two million units later.
            offset = (number(data, position) + 0x80000000) % (1 << 32) - 0x80000000
        break
    return (time + offset) / track.timescale, not flags & NOT_SYNC
