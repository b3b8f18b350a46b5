"""A sound played as an answer is, and when the display says that it was heard."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from avatard.api.flow import FPS, FRAME_SAMPLES, Samples, VideoFrame
from avatard.api.stages import DisplaySink
from avatard.cli.examination import Examination
from avatard.runtime.config import PlatformEntry
from avatard.talk.displays import Displays


@dataclass
class Played:
    """When the chirps were played, by the display's word."""

    handed: float = 0.0
    """When the first frame was handed over, monotonic seconds."""
    origins: list[float] = field(default_factory=list)
    """When it says that its position 0 was heard, as seen again and again."""

    @property
    def origin(self) -> float:
        """When it says that the first chirp was heard, monotonic seconds."""
        return statistics.median(self.origins) if self.origins else self.handed


async def play(
    visit: Examination, entry: PlatformEntry, sink: DisplaySink, sound: Samples, played: Played
) -> None:
    """Play a sound on a display as an answer is played, and note when."""
    async with visit.encoding() as encoder:
        displays = Displays([(entry.platform, sink)], encoder)
        await play_on(displays, sound, played, visit.pictures)


async def play_on(displays: Displays, sound: Samples, played: Played, pictures: Sequence[Any] = ()) -> None:
    """Play a sound on displays, and note when."""
    def first() -> None:
        played.handed = played.handed or time.monotonic()

    async def watch() -> None:
        while True:
            if (shown := displays.shown) > 0:
                played.origins.append(time.monotonic() - shown)
            await asyncio.sleep(0.01)

    watching = asyncio.ensure_future(watch())
    try:
        await displays.play(frames(sound, pictures), first)
    finally:
        watching.cancel()


async def frames(sound: Samples, pictures: Sequence[Any] = ()) -> AsyncIterator[VideoFrame]:
    """A sound as an answer's frames; the pictures go round."""
    for index in range(math.ceil(len(sound) / FRAME_SAMPLES)):
        piece = sound[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES]
        picture = pictures[index % len(pictures)] if len(pictures) else np.full((64, 64, 3), 90, np.uint8)
        yield VideoFrame(picture, np.pad(piece, (0, FRAME_SAMPLES - len(piece))), index / FPS)
