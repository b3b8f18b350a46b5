"""A microphone of this machine, through the sound server or PortAudio. A device that went away is found by name."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from avatard.api.context import PluginContext
from avatard.api.errors import NotReady
from avatard.api.flow import LISTEN_RATE, AudioFrame, Samples
from avatard.api.portaudio import STREAMS
from avatard.api.stages import Microphone
from avatard.plugins.sounddevice.aside import aside
from avatard.plugins.sounddevice.card import DeviceList
from avatard.plugins.sounddevice.choosing import opened
from avatard.plugins.sounddevice.config import MicrophoneConfig
from avatard.plugins.sounddevice.recorder import FRAME, Recorder

log = logging.getLogger(__name__)

KEPT = 64
"""Callbacks that may wait to be read (2 s); then the oldest goes and is counted."""
GONE = 3.0
"""Seconds without a callback after which the device counts as gone."""
CLOSE_LIMIT = 2.0
"""Seconds that closing may take; a driver that takes longer is left to itself."""


class SoundMicrophone:
    """Opens the device while its frames are read."""

    live = True

    def __init__(self, config: MicrophoneConfig) -> None:
        """Use the device whose name contains ``device``; the system's where that is empty."""
        self.dropped = 0
        """Frames that nobody read in time, and overruns that the device told of."""
        self.watched = config.watch
        self._device, self._channel = config.device, config.channel
        self._devices: DeviceList | None = None

    async def frames(self) -> AsyncIterator[AudioFrame]:
        """Open the device and yield 64 ms frames.

        Raises:
            NotReady: PortAudio is missing, or the device is absent, busy or gone.
        """
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        pieces: deque[tuple[Samples, float]] = deque(maxlen=KEPT)
        ends: list[str] = []

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(arrived.set)

        def heard(samples: Samples, lost: bool) -> None:
            if lost or len(pieces) == KEPT:
                self.dropped += 1
            pieces.append((samples, time.monotonic()))
            tell()

        def ended(why: str) -> None:
            ends.append(why)
            tell()

        recorder = await self._open(heard, ended)
        cutter = Cutter(recorder.rate)
        log.debug("microphone: opened: %s, %d Hz", recorder.name, recorder.rate)
        try:
            while True:
                arrived.clear()
                while pieces:
                    for frame in cutter.feed(*pieces.popleft()):
                        yield frame
                if ends:
                    raise NotReady(f"microphone {self._device or '(default)'}: {ends[0]}")
                try:
                    await asyncio.wait_for(arrived.wait(), GONE)
                except TimeoutError as late:
                    if pieces:  # it was we who were busy: a device that opens may hold everything up
                        continue
                    name = self._device or "(default)"
                    raise NotReady(f"microphone {name}: no sound for {GONE:.0f} s; unplugged?") from late
        finally:
            await _closed(recorder)

    async def _open(self, heard: Any, ended: Any) -> Recorder:
        if self._devices is None:
            self._devices = DeviceList()
        devices = self._devices
        if devices.stale():
            STREAMS.give_way()
        return await aside(
            "microphone", lambda: opened(self._device, self._channel, devices, heard, ended), lambda one: one.close()
        )


async def _closed(recorder: Recorder) -> None:
    try:
        async with asyncio.timeout(CLOSE_LIMIT):
            await aside("microphone", recorder.close)
    except TimeoutError:
        return


class Cutter:
    """Pieces of any rate and length to 16 kHz frames of 1024 samples."""

    def __init__(self, rate: int) -> None:
        """Resample from ``rate`` Hz."""
        self._waiting: Samples = np.zeros(0, np.int16)
        self._count = 0
        self._resampler: Any = None
        if rate != LISTEN_RATE:
            import soxr

            self._resampler = soxr.ResampleStream(rate, LISTEN_RATE, 1, dtype="int16")

    def feed(self, samples: Samples, captured: float) -> list[AudioFrame]:
        """Add a piece whose last sample was captured at ``captured``; return whole frames."""
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        self._waiting = np.concatenate([self._waiting, samples])
        frames = []
        while len(self._waiting) >= FRAME:
            behind = (len(self._waiting) - FRAME) / LISTEN_RATE
            frames.append(AudioFrame(self._waiting[:FRAME], LISTEN_RATE, self._count * FRAME / LISTEN_RATE,
                                     captured - behind))  # fmt: skip
            self._count += 1
            self._waiting = self._waiting[FRAME:]
        return frames


@asynccontextmanager
async def async_setup(context: PluginContext, config: MicrophoneConfig) -> AsyncIterator[Microphone]:
    """The device is opened while it is listened to."""
    yield SoundMicrophone(config)
