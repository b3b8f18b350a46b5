"""Pictures that are kept as what has changed in them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from avatard.api.flow import Pixels
from avatard.talk.pictures import SAME, TILE, Packer, Unpacker


def scene(at: float, height: int = 256, width: int = 320) -> Pixels:
    """A rough wall and a ball that moves over it."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wall = np.stack([90 + x / 4, 120 + y / 4, 160 - x / 8], -1)
    wall += cv2.resize(np.random.default_rng(0).normal(0, 9, (height // 4, width // 4)), (width, height))[..., None]
    ball = np.clip(12 - np.hypot(x - 40 - at, y - 60), 0, 1)[..., None]
    return (wall + (np.array([40, 60, 220]) - wall) * ball).astype(np.uint8)


def there_and_back(pictures: list[Pixels]) -> tuple[list[Pixels], list[int]]:
    packer, unpacker = Packer(), Unpacker()
    packed = [packer.pack(picture) for picture in pictures]
    return [unpacker.unpack(one) for one in packed], [one.bytes for one in packed]


def test_what_moves_is_kept_and_what_stands_still_costs_nothing() -> None:
    pictures = [scene(2.5 * n) for n in range(20)]
    seen, sizes = there_and_back(pictures)
    for was, now in zip(pictures, seen, strict=True):
        off = np.abs(was.astype(int) - now)
        assert off.mean() < 1.5 and np.percentile(off, 99.9) < 40, (off.mean(), np.percentile(off, 99.9))
    assert max(sizes[1:]) < sizes[0] / 2, sizes
    assert len({id(picture) for picture in seen}) == len(seen)


def test_a_picture_that_repeats_is_the_same_one() -> None:
    seen, sizes = there_and_back([scene(0), scene(0), scene(30), scene(30)])
    assert sizes[1] == sizes[3] == 0
    assert seen[1] is seen[0] and seen[3] is seen[2] and seen[2] is not seen[1]


def test_small_changes_never_add_up() -> None:
    """A wall that grows lighter by less than a level each time is never far behind."""
    pictures = [np.full((64, 64, 3), 60 + n // 2, np.uint8) for n in range(80)]
    seen, _ = there_and_back(pictures)
    assert max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(pictures, seen, strict=True)) <= SAME + 2


def test_squares_keep_to_themselves() -> None:
    """Squares that lie side by side only in the file do not colour each other."""
    first = np.full((128, 128, 3), (30, 30, 220), np.uint8)
    second = first.copy()
    second[:TILE, :TILE] = (220, 30, 30)
    second[-TILE:, -TILE:] = (30, 220, 30)
    seen, _ = there_and_back([first, second])
    assert np.abs(seen[1].astype(int) - second).max() <= 6


@pytest.mark.parametrize("sides", [(100, 130), (16, 16), (1024, 1040)])
def test_any_size_and_a_change_of_size(sides: tuple[int, int]) -> None:
    other = scene(5)
    pictures = [scene(0, *sides), scene(9, *sides), other, scene(0, *sides)]
    seen, _ = there_and_back(pictures)
    for was, now in zip(pictures, seen, strict=True):
        assert was.shape == now.shape and np.abs(was.astype(int) - now).mean() < 2.5


def test_a_cut_is_a_whole_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    cut = cv2.resize(noise, (320, 256))
    packer = Packer()
    packer.pack(scene(0))
    assert packer.pack(cut).changed is None
    assert packer.pack(cut).bytes == 0
