"""The compositor: no seam, whatever a network makes; the upper half is never touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from portraits import face

from avatard.api.flow import Pixels
from avatard.face.compose import FADE, Fade, Region, crop, mask, paste


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pixels, Region]:
    own = face(tmp_path_factory.mktemp("face")).at(512)
    return own.frames[0], Region.around(own.boxes[0], own.frames[0])


def random_network(size: int, seed: int) -> Pixels:
    """What a network of random weights gives: colours that change smoothly here and roughly there."""
    import cv2

    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.integers(0, 256, (6, 6, 3)).astype(np.float32), (size, size))
    return np.clip(coarse + rng.normal(0, 6, (size, size, 3)), 0, 255).astype(np.uint8)


GENERATED = {
    "black": np.zeros((96, 96, 3), np.uint8),
    "white": np.full((96, 96, 3), 255, np.uint8),
    "green": np.full((96, 96, 3), (30, 200, 40), np.uint8),
    "random 96": random_network(96, 1),
    "random 256": random_network(256, 2),
}


def test_the_crop_is_what_the_network_is_trained_on(head: tuple[Pixels, Region]) -> None:
    pixels, region = head
    assert crop(pixels, region).shape == (96, 96, 3)
    assert crop(pixels, region, 256).shape == (256, 256, 3)
    same = Region(10, 20, 106, 116)
    assert np.array_equal(crop(pixels, same), pixels[20:116, 10:106])


def test_a_region_has_pads_and_stays_within_the_picture() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    assert Region.around((20, 30, 40, 50), pixels) == Region(20, 30, 60, 90)
    assert Region.around((-5, -5, 200, 98), pixels) == Region(0, 0, 100, 100)
    assert Region.around((20, 30, 40, 50), pixels, (1, 2, 3, 4)) == Region(17, 29, 64, 82)


@pytest.mark.parametrize("name", GENERATED)
def test_no_seam(head: tuple[Pixels, Region], name: str) -> None:
    """Along the mask's border the picture changes no faster from pixel to pixel than the photograph does nearby."""
    pixels, region = head
    result = paste(pixels, GENERATED[name], region)
    weight = np.zeros(pixels.shape[:2], np.float32)
    weight[region.top : region.bottom, region.left : region.right] = mask(region.width, region.height)[..., 0]
    border = (weight > 0) & (weight < 0.35)
    for axis in (0, 1):
        # Noise of the network is its own; a seam is a step in what is left when it is averaged away.
        before, after = (np.abs(np.diff(_smooth(p), axis=axis)).max(-1) for p in (pixels, result))
        here = border[1:] if axis == 0 else border[:, 1:]
        assert after[here].max() <= max(12.0, before[here].max() * 1.15), (after[here].max(), before[here].max())


def _smooth(pixels: Pixels) -> np.ndarray:
    import cv2

    return np.asarray(cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 1.5))


@pytest.mark.parametrize("name", GENERATED)
def test_nothing_outside_the_lower_half_changes(head: tuple[Pixels, Region], name: str) -> None:
    pixels, region = head
    changed = (paste(pixels, GENERATED[name], region) != pixels).any(-1)
    assert changed.any()
    rows, columns = np.nonzero(changed)
    assert rows.min() > region.top + 0.45 * region.height and rows.max() < region.bottom
    assert columns.min() > region.left and columns.max() < region.right - 1


def test_the_mouth_is_what_was_generated(head: tuple[Pixels, Region]) -> None:
    """Only slow changes of colour are drawn to the photograph; what is between the lips stays."""
    pixels, region = head
    generated = crop(pixels, region).copy()
    generated[62:76, 36:60] = (20, 10, 40)
    result = crop(paste(pixels, generated, region), region)
    assert np.abs(result[64:74, 39:57].astype(int) - (20, 10, 40)).mean() < 8


def test_a_copy_of_the_picture_changes_nothing_that_is_seen(head: tuple[Pixels, Region]) -> None:
    pixels, region = head
    own = region.of(pixels).copy()
    assert np.abs(paste(pixels, own, region).astype(int) - pixels).max() <= 1


def test_another_exposure_is_matched(head: tuple[Pixels, Region]) -> None:
    pixels, region = head
    brighter = np.clip(region.of(pixels).astype(int) + 30, 0, 255).astype(np.uint8)
    before = np.abs(brighter.astype(int) - region.of(pixels)).mean()
    after = np.abs(region.of(paste(pixels, brighter, region)).astype(int) - region.of(pixels)).mean()
    assert after < before / 4, (after, before)


def test_a_share_leads_from_the_picture_to_the_generated_one(head: tuple[Pixels, Region]) -> None:
    pixels, region = head
    green = GENERATED["green"]
    steps = [np.abs(paste(pixels, green, region, share).astype(int) - pixels).sum() for share in (0, 0.3, 0.7, 1)]
    assert steps[0] == 0 and steps == sorted(steps) and len(set(steps)) == 4


def test_the_picture_itself_is_left_alone(head: tuple[Pixels, Region]) -> None:
    pixels, region = head
    copy = pixels.copy()
    paste(pixels, GENERATED["white"], region)
    assert np.array_equal(pixels, copy)


@pytest.mark.parametrize("size", [(60, 80), (97, 131), (300, 400)])
def test_the_mask_is_soft_all_around(size: tuple[int, int]) -> None:
    weight = mask(*size)[..., 0]
    assert weight.shape == size[::-1] and weight.max() > 0.99
    for edge in (weight[0], weight[-1], weight[:, 0], weight[:, -1], weight[: int(0.45 * size[1])].ravel()):
        assert edge.max() < 0.02
    assert np.abs(np.diff(weight, axis=0)).max() < 16 / size[1]


def test_a_fade_comes_and_goes_in_a_few_pictures() -> None:
    fade = Fade()
    up = [fade.step(True) for _ in range(FADE + 2)]
    down = [fade.step(False) for _ in range(FADE + 2)]
    assert up == sorted(up) and up[FADE - 1 :] == [1.0] * 3 and 0 < up[0] < 0.3
    assert down == sorted(down, reverse=True) and down[-1] == 0.0
    assert max(np.abs(np.diff([0, *up, *down]))) < 0.4


def test_a_region_at_the_pictures_edge(tmp_path: Path) -> None:
    pixels = np.full((64, 64, 3), 90, np.uint8)
    result = paste(pixels, GENERATED["random 96"], Region.around((30, 20, 60, 60), pixels))
    assert result.shape == pixels.shape and (result != pixels).any()
