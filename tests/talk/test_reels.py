"""What is kept of an announcement's stream."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from avatard.api.flow import EncodedChunk, VideoFrame
from avatard.talk.reels import Filming

HEADER = EncodedChunk(b"header", 0.0, True, header=True)
FRAGMENTS = [EncodedChunk(b"fragment", index / 25, index == 0) for index in range(3)]


@pytest.mark.parametrize(("chunks", "kept"), [([HEADER, *FRAGMENTS], True), ([HEADER, *FRAGMENTS, HEADER], False)])
async def test_a_stream_that_began_anew_is_not_kept(chunks: list[EncodedChunk], kept: bool) -> None:
    async def frames() -> AsyncIterator[VideoFrame]:
        for index in range(3):
            yield VideoFrame(None, np.zeros(1920, np.int16), index / 25)

    async def stream() -> AsyncIterator[EncodedChunk]:
        for chunk in chunks:
            yield chunk

    filming = Filming(1_000_000)
    assert len([frame async for frame in filming.frames(frames())]) == 3
    assert [chunk async for chunk in filming.chunks("fmp4", stream())] == chunks
    reel = filming.reel()
    assert (reel is not None) == kept
    assert reel is None or reel.streams == {"fmp4": tuple(chunks)}
