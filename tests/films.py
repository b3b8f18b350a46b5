"""Flash and click: frames in which picture and sound jump together, and where they are found in what was made."""

from __future__ import annotations

import asyncio
import io
import shutil
import stat
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import av
import numpy as np

from avatard.api.flow import EncodedChunk, VideoFrame

EVERY = 10
"""Frames from flash to flash; the first is in frame 5."""


def frame(index: int, size: tuple[int, int] = (96, 128)) -> VideoFrame:
    """A dark picture with a soft tone, or a bright one with a click at its beginning."""
    flash = index % EVERY == 5
    sound = (np.sin(np.arange(index * 1920, (index + 1) * 1920) * 0.03) * 800).astype(np.int16)
    if flash:
        sound[:96] = 24_000
    return VideoFrame(np.full((*size, 3), 235 if flash else 25, np.uint8), sound, index / 25)


async def frames(
    count: int, real: bool = False, size: tuple[int, int] = (96, 128), start: int = 0
) -> AsyncIterator[VideoFrame]:
    """So many frames, in real time where asked for."""
    begun = time.monotonic()
    for index in range(count):
        await asyncio.sleep(max(0.0, begun + index / 25 - time.monotonic()) if real else 0)
        yield frame(start + index, size)


class Film:
    """What a player finds in it."""

    def __init__(self, data: bytes) -> None:
        self.pictures: list[tuple[float, float]] = []
        """(seconds, mean grey)"""
        self.sizes: set[tuple[int, int]] = set()
        samples: list[tuple[float, int, np.ndarray]] = []
        with av.open(io.BytesIO(data)) as media:
            for packet in media.demux():
                for one in packet.decode():
                    at = float(one.pts * one.time_base)
                    if isinstance(one, av.VideoFrame):
                        self.pictures.append((at, float(one.to_ndarray(format="gray").mean())))
                        self.sizes.add((one.width, one.height))
                    else:
                        samples.append((at, one.sample_rate, one.to_ndarray()[0]))
        self.sound = sum(len(sound) / rate for _, rate, sound in samples)
        """seconds"""
        self.clicks: list[float] = []
        for at, rate, sound in samples:
            for place in np.flatnonzero(np.abs(sound) > 0.25):
                if not self.clicks or at + place / rate - self.clicks[-1] > 0.2:
                    self.clicks.append(at + place / rate)
        self.flashes = [
            at for index, (at, grey) in enumerate(self.pictures)
            if grey > 128 and (index == 0 or self.pictures[index - 1][1] <= 128)
        ]  # fmt: skip

    @property
    def apart(self) -> float:
        """The largest distance of a flash from its click, seconds."""
        assert len(self.flashes) == len(self.clicks), (self.flashes, self.clicks)
        return max(abs(flash - click) for flash, click in zip(self.flashes, self.clicks, strict=True))


def joined(chunks: Sequence[EncodedChunk]) -> bytes:
    """The stream as one file."""
    return b"".join(chunk.data for chunk in chunks)


FAKE = """#!/bin/sh
# Does as if it had h264_vaapi: what is asked of that is done by libx264, in the way that MODE says.
mode='{mode}'
case "$*" in *h264_vaapi*) ;; *) exec '{program}' "$@";; esac
echo "$$" >> '{log}'
words=''
while [ $# -gt 0 ]; do
  case "$1" in
    -vaapi_device) shift;;
    -async_depth) shift;;
    h264_vaapi) words="$words libx264 -preset veryfast -tune zerolatency";;
    *hwupload*)
      filter="${{1%,hwupload}}"
      [ "$mode" = garbage ] && filter="$filter,geq=lum=random(1)*255:cb=90:cr=200"
      words="$words $filter,format=yuv420p";;
    *) words="$words $1";;
  esac
  shift
done
case "$mode" in
  fails) echo 'Failed to initialise VAAPI connection: -1 (unknown libva error).' >&2; exit 171;;
  hangs) exec sleep 60;;
  nothing) exec cat > /dev/null;;
  dies) case "$(wc -l < '{log}')" in 1) ;; *) words="-t 1 $words";; esac;;
esac
exec '{program}' $words
"""


def fake(folder: Path, mode: str) -> Path:
    """An ffmpeg that does as if it had h264_vaapi; ``started(fake)`` counts how often that was used.

    Args:
        folder: where to put it.
        mode: works, garbage, fails, hangs, nothing (comes out), dies (after a second, but not the first time).
    """
    program = shutil.which("ffmpeg")
    path = folder / f"ffmpeg-{mode}"
    path.write_text(FAKE.format(mode=mode, program=program, log=path.with_suffix(".log")))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def started(path: Path) -> int:
    """How often its h264_vaapi was used."""
    log = path.with_suffix(".log")
    return len(log.read_text().splitlines()) if log.exists() else 0
