"""The idle loop: made once, remade for another face, kept as a finished file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from avatard.api.errors import NotReady, StageFailed
from avatard.api.flow import EncodedChunk, VideoFrame
from avatard.runtime.config import Configuration
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.house import furnished
from avatard.runtime.resting import KEPT

Scripted = Callable[..., Configuration]


class Coder:
    """Counts the films it makes; the film is the pictures' first pixels."""

    def __init__(self, fails: bool = False) -> None:
        self.films = 0
        self.fails = fails

    async def encode(self, frames: AsyncIterator[VideoFrame], container: str) -> AsyncIterator[EncodedChunk]:
        assert container == "mp4"
        self.films += 1
        film = b"".join([frame.pixels[0, 0].tobytes() async for frame in frames if frame.pixels is not None])
        yield EncodedChunk(film[:7], 0.0, True)
        if self.fails:
            raise StageFailed("encoder", "test", "died")
        yield EncodedChunk(film[7:], 0.0, False)


class Face:
    """Rests in one colour."""

    def __init__(self, colour: int) -> None:
        self.colour = colour

    async def idle(self, seconds: float) -> AsyncIterator[VideoFrame]:
        for index in range(round(seconds * 25)):
            picture = np.full((4, 6, 3), self.colour, np.uint8)
            picture[0, 0] = index
            yield VideoFrame(picture, np.zeros(1920, np.int16), index / 25)


async def engines(ground: Foundation, coder: Coder, face: Face) -> None:
    household: Any = ground.door.household
    for ranking, engine in ((household.place.displays.encoder, coder), (household.render, face)):
        await ranking.engine()
        ranking._opened[0] = engine


async def test_it_is_made_once_and_again_for_another_face(scripted: Scripted) -> None:
    coder, face = Coder(), Face(10)
    async with open_foundation(settings := scripted()) as ground, furnished(settings, ground):
        await engines(ground, coder, face)
        one, again = await asyncio.gather(ground.resting.loop(), ground.resting.loop())
        assert one.key == again.key and one.path == again.path and coder.films == 1
        assert one.path.read_bytes() == bytes(index for index in range(200) for _ in range(3))
        assert one.first.shape == (4, 6, 3) and int(one.first[2, 2, 0]) == 10
        face.colour = 11
        other = await ground.resting.loop()
        assert other.key != one.key and coder.films == 2 and one.path.exists()


async def test_only_the_newest_are_kept(scripted: Scripted) -> None:
    async with open_foundation(settings := scripted()) as ground, furnished(settings, ground):
        for colour in range(KEPT + 3):
            await engines(ground, Coder(), Face(colour))
            newest = (await ground.resting.loop()).path
        films = list(newest.parent.iterdir())
    assert len(films) == KEPT and newest in films


async def test_what_is_half_made_is_never_there(scripted: Scripted) -> None:
    async with open_foundation(settings := scripted()) as ground, furnished(settings, ground):
        await engines(ground, Coder(fails=True), Face(10))
        with pytest.raises(StageFailed):
            await ground.resting.loop()
        assert not ground.resting._folder.exists() or not list(ground.resting._folder.iterdir())
        await engines(ground, Coder(), Face(10))
        assert (await ground.resting.loop()).path.exists()


async def test_before_the_house_stands_it_is_not_ready(scripted: Scripted) -> None:
    async with open_foundation(scripted()) as ground:
        with pytest.raises(NotReady, match="starting"):
            await ground.resting.loop()


async def test_a_folder_that_cannot_be_written_is_named(scripted: Scripted) -> None:
    async with open_foundation(settings := scripted()) as ground, furnished(settings, ground):
        await engines(ground, Coder(), Face(10))
        ground.resting._folder.parent.mkdir(parents=True, exist_ok=True)
        ground.resting._folder.write_text("a file where the folder should be")
        with pytest.raises(NotReady, match=str(ground.resting._folder)):
            await ground.resting.loop()
