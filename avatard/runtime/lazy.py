"""An encoder that is opened at its first frame, by whoever needs one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import cast

from avatard.api.errors import NotReady
from avatard.api.flow import Container, EncodedChunk, VideoFrame
from avatard.api.stages import VideoEncoder
from avatard.talk.assistant import Door
from avatard.talk.ranking import Ranking


class LazyEncoder:
    """Whichever encoder of a ranking serves, for displays that write a stream of their own."""

    def __init__(self, ranking: Callable[[], Ranking[VideoEncoder]]) -> None:
        """Ask for the ranking at each stream."""
        self._ranking = ranking

    async def encode(self, frames: AsyncIterator[VideoFrame], container: Container) -> AsyncIterator[EncodedChunk]:
        """Encode with whichever serves."""
        encoder = await self._ranking().engine()
        async with aclosing(cast("AsyncGenerator[EncodedChunk, None]", encoder.encode(frames, container))) as chunks:
            async for chunk in chunks:
                yield chunk


def of_the_house(door: Door) -> LazyEncoder:
    """The encoder of the house that stands, for bridges, which outlive it."""

    def ranking() -> Ranking[VideoEncoder]:
        if door.household is None:
            raise NotReady("the daemon is still starting")
        return door.household.place.displays.encoder

    return LazyEncoder(ranking)
