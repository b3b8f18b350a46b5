"""The sound card's microphone: any rate and channel count in, 16 kHz mono out."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from avatard.api.context import PluginContext
from avatard.api.errors import NotReady
from avatard.api.flow import LISTEN_RATE, AudioFrame, Samples
from avatard.api.stages import Microphone
from avatard.plugins.sounddevice.config import MicrophoneConfig

FRAME = 1024
"""Samples: 64 ms; half as many wake-ups of an idle box as Silero's 32 ms would need"""
KEPT = 64
"""Callbacks that may wait to be read (2 s); then the oldest goes and is counted."""
GONE = 2.0
"""Seconds without a callback after which the device counts as gone."""


class SoundMicrophone:
    """Opens the device while its frames are read."""

    live = True

    def __init__(self, device: str) -> None:
        """Use the device whose name contains ``device``; the default where it is empty."""
        self.dropped = 0
        self._device = device

    async def frames(self) -> AsyncIterator[AudioFrame]:
        """Open the device and yield 64 ms frames.

        Raises:
            NotReady: PortAudio is missing, or the device is absent, busy or gone.
        """
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        pieces: deque[tuple[Samples, float]] = deque(maxlen=KEPT)

        def heard(data: Any, _count: int, _time: Any, _status: Any) -> None:
            if len(pieces) == KEPT:
                self.dropped += 1
            mono = data[:, 0] if data.shape[1] == 1 else data.astype(np.int32).mean(axis=1).astype(np.int16)
            pieces.append((mono.copy(), time.monotonic()))
            loop.call_soon_threadsafe(arrived.set)

        stream, rate = self._open(heard)
        cutter = Cutter(rate)
        try:
            while True:
                arrived.clear()
                while pieces:
                    for frame in cutter.feed(*pieces.popleft()):
                        yield frame
                try:
                    await asyncio.wait_for(arrived.wait(), GONE)
                except TimeoutError as late:
                    if pieces:  # it was we who were busy: a device that opens may hold everything up
                        continue
                    name = self._device or "(default)"
                    raise NotReady(f"microphone {name}: no sound for {GONE:.0f} s; unplugged?") from late
        finally:
            stream.abort()
            stream.close()

    def _open(self, heard: Any) -> tuple[Any, int]:
        try:
            import sounddevice as sd
        except OSError as err:
            raise NotReady(f"microphone: {err}; install it: sudo apt install libportaudio2") from err
        try:
            info: Any = sd.query_devices(self._device or None, "input")
            rate = LISTEN_RATE if _takes(sd, info["index"], LISTEN_RATE) else int(info["default_samplerate"])
            channels = 1 if _takes(sd, info["index"], rate) else min(2, int(info["max_input_channels"]))
            stream = sd.InputStream(
                samplerate=rate, channels=channels, dtype="int16", device=info["index"],
                blocksize=rate * FRAME // LISTEN_RATE, callback=heard,
            )  # fmt: skip
            stream.start()
        except (sd.PortAudioError, ValueError) as err:
            names = ", ".join(d["name"] for d in sd.query_devices() if d["max_input_channels"]) or "none"
            _forget_devices(sd)
            raise NotReady(f"microphone {self._device or '(default)'}: {err}; microphones: {names}; "
                           "choose one with 'device:'") from err  # fmt: skip
        return stream, rate


def _takes(sd: Any, index: int, rate: int) -> bool:
    try:
        sd.check_input_settings(device=index, channels=1, samplerate=rate, dtype="int16")
    except (sd.PortAudioError, ValueError):
        return False
    return True


def _forget_devices(sd: Any) -> None:
    """Let PortAudio look again: it reads the list of devices only when it starts (python-sounddevice#125)."""
    if getattr(sd, "_initialized", 0):
        sd._terminate()
        sd._initialize()


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
    yield SoundMicrophone(config.device)
