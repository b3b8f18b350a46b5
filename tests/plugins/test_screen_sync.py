"""Flash and click: how far picture and sound are apart on the attached display, by a recorder that has both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from attached import Screen, Seen, attached, screen
from soundcard import SoundCard, soundcard

from avatard.api.flow import FPS, FRAME_SAMPLES, VideoFrame
from avatard.runtime.config import Configuration

pytestmark = pytest.mark.alone

__all__ = ["screen", "soundcard"]

Scripted = Callable[..., Configuration]
LIMIT = 0.040
"""Seconds, at the 95th percentile"""
REGION = 96
"""Pixels at the top left that are recorded at twice the usual rate."""
FAST = 100
"""Pictures a second of the recorder: a flash is seen up to 10 ms late."""


async def flashes(seconds: int) -> AsyncIterator[VideoFrame]:
    """Each second, two white pictures, and a click where the first begins."""
    dark, white = np.full((360, 480, 3), 40, np.uint8), np.full((360, 480, 3), 250, np.uint8)
    silence, click = np.zeros(FRAME_SAMPLES, np.int16), np.zeros(FRAME_SAMPLES, np.int16)
    click[:96] = (20_000 * np.sin(2 * np.pi * 2000 * np.arange(96) / 48_000)).astype(np.int16)
    for index in range(seconds * FPS):
        at = (index - FPS // 2) % FPS
        yield VideoFrame(white if at < 2 else dark, click if at == 0 else silence, index / FPS)


def apart(seen: Seen) -> np.ndarray:
    """How much later each flash was seen than its click was heard, seconds."""
    light = np.array([picture.mean() for picture in seen.pictures])
    seen_at = seen.times[1:][(light[1:] > 150) & (light[:-1] <= 150)]
    loud = np.flatnonzero(np.abs(seen.sound.astype(int)) > 5000)
    starts = loud[np.diff(loud, prepend=-seen.rate) > seen.rate // 4]
    heard_at = seen.sound_at + starts / seen.rate
    found = np.array([at - heard_at[np.abs(heard_at - at).argmin()] for at in seen_at])
    return found[np.abs(found) < 0.4]  # the face at rest is bright too


async def measured(scripted: Scripted, screen: Screen, seconds: int) -> np.ndarray:
    async with attached(scripted, scale="fill") as (_, display):
        recording = seconds + 3
        await asyncio.to_thread(screen.record, recording, REGION, FAST, True)
        await display.play(flashes(seconds))
        seen = await asyncio.to_thread(screen.seen, 8)
    found = apart(seen)
    assert len(found) >= seconds - 1, (len(found), seconds)
    return found


def told(found: np.ndarray) -> str:
    early, late = found[: len(found) // 2].mean(), found[len(found) // 2 :].mean()
    return (f"picture later than sound by {1000 * np.median(found):.0f} ms p50, apart {1000 * _p95(found):.0f} ms p95, "
            f"{1000 * np.abs(found).max():.0f} ms max, drift {1000 * (late - early):.1f} ms, {len(found)} flashes")


def _p95(found: np.ndarray) -> float:
    return float(np.percentile(np.abs(found), 95))


async def test_picture_and_sound_are_together(
    scripted: Scripted, screen: Screen, soundcard: SoundCard, record_property: Callable[[str, object], None]
) -> None:
    found = await measured(scripted, screen, 12)
    record_property("sync", told(found))
    print(told(found))
    assert _p95(found) <= LIMIT, told(found)


@pytest.mark.long
async def test_picture_and_sound_stay_together_for_ten_minutes(
    scripted: Scripted, screen: Screen, soundcard: SoundCard, record_property: Callable[[str, object], None]
) -> None:
    found = await measured(scripted, screen, 600)
    record_property("sync", told(found))
    print(told(found))
    early, late = found[:60].mean(), found[-60:].mean()
    assert _p95(found) <= LIMIT and abs(late - early) < LIMIT / 2, told(found)
