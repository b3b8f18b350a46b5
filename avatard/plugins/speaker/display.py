"""The sound card as a display."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Literal, cast

from avatard.api.context import PluginContext, Pulse
from avatard.api.errors import NotReady
from avatard.api.flow import SPEECH_RATE, EncodedChunk, Samples, VideoFrame
from avatard.api.stages import DisplaySink
from avatard.plugins.speaker.config import DisplayConfig
from avatard.plugins.speaker.output import Output, Played

AHEAD = 4 * 1920
"""Samples that may wait for the device: 0.16 s."""
LINGER_LIMIT = 30.0
"""Seconds within which the device is looked at again."""
CHIME = 1.0
"""Seconds that a chime sounds, at most."""
LOOK = 0.02
"""Seconds between looks at the device's clock."""
STALL = 5.0
"""Seconds after which a device that takes no sound is given up: a Bluetooth loudspeaker wakes for some of them."""


class Speaker:
    """Opens the device when there is something to hear, and closes it after a while."""

    accepts: Literal["frames"] = "frames"
    pictures = False

    def __init__(self, config: DisplayConfig) -> None:
        """Nothing is opened yet."""
        self.late = 0
        self._config = config
        self._volume = 1.0
        self._output: Output | None = None
        self._base = 0
        self._reached = 0.0
        """What ``shown`` was when the device was closed."""
        self._used = 0.0
        self._busy = False
        self._played: Played | None = None

    @property
    def shown(self) -> float:
        """Seconds of the answer that were heard: what the device took, less what it still buffers."""
        if self._output is None:
            return self._reached
        return max(0.0, (self._output.played - self._base) / SPEECH_RATE - self._output.latency)

    async def play(self, stream: AsyncIterator[VideoFrame] | AsyncIterator[EncodedChunk]) -> None:
        """Play; return when the last sample was heard. When cancelled, it is silent at once."""
        self._reached = 0.0
        output = self._open()
        output.clear()
        self._base, self._busy = output.played, True
        try:
            async with aclosing(cast("AsyncGenerator[VideoFrame, None]", stream)) as frames:
                async for frame in frames:
                    while output.waiting > AHEAD:
                        await self._look(output)
                    output.put(frame.audio)
            while output.waiting:
                await self._look(output)
            await asyncio.sleep(output.latency)
        except BaseException:  # a cancel, too, must be silent at once
            self._close()
            raise
        finally:
            self._busy, self._used = False, time.monotonic()

    async def chime(self, sound: Samples) -> None:
        """Mix a short sound in."""
        self._open().chime(sound)

    def tell(self, played: Played) -> None:
        """Tell what is given to the device, from its next opening on."""
        self._played = played

    def set_volume(self, percent: int) -> None:
        """Set the loudness."""
        self._volume = percent / 100
        if self._output is not None:
            self._output.volume = self._volume

    async def linger(self, pulse: Pulse) -> None:
        """Close the device when nothing was played for a while."""
        while True:
            pulse.beat(LINGER_LIMIT)
            await asyncio.sleep(1.0)
            if self._output and not self._busy and time.monotonic() - self._used > self._config.linger_seconds:
                self._close()

    def close(self) -> None:
        """Close the device."""
        self._close()

    async def _look(self, output: Output) -> None:
        await asyncio.sleep(LOOK)
        if not output.alive:
            raise NotReady("display: speaker: the sound card went away in the middle of an answer")
        if time.monotonic() - max(output.asked, self._used) > STALL:  # a card may sleep between two answers
            raise NotReady(f"display: speaker: the sound card has taken no sound for {STALL:.0f} s: is it suspended, "
                           "or a loudspeaker out of reach? the next answer opens it again")  # fmt: skip

    def _open(self) -> Output:
        if self._output is not None and not self._output.alive:
            self._close()
        if self._output is None:
            self._output = Output(self._config.device, self._played, self._give_way)
            self._output.volume = self._volume
        self._used = time.monotonic()
        return self._output

    def _give_way(self) -> None:
        if not self._busy and time.monotonic() - self._used > CHIME:
            self._close()

    def _close(self) -> None:
        self._reached = self.shown
        output, self._output = self._output, None
        if output is not None:
            output.close()


@asynccontextmanager
async def async_setup(context: PluginContext, config: DisplayConfig) -> AsyncIterator[DisplaySink]:
    """The device is opened with the first sound, so that a box without one starts all the same."""
    speaker = Speaker(config)
    context.run("linger", speaker.linger)
    try:
        yield speaker
    finally:
        speaker.close()
