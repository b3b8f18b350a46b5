"""Rooms made by arithmetic, and voices in them: what a microphone would hear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Samples
from avatard.runtime.config import built_in
from avatard.runtime.model import Granting
from avatard.runtime.worker import ChildModel

Wave = NDArray[np.float64]
"""Mono sound, int16's scale."""

DIRECT = 0.15
"""How loud a reverberation begins beside the direct sound."""


@dataclass(frozen=True, slots=True)
class Room:
    """A way from a loudspeaker to a microphone."""

    response: Wave
    """At 16 kHz, of energy 1"""
    delay: float
    """Seconds before anything comes"""

    def heard(self, sound: Wave, late: bool = True) -> Wave:
        """The sound in the room; not ``late``: of somebody who stands there."""
        response = self.response if late else self.response[int(self.delay * 16_000) :]
        length = len(sound) + len(response) - 1
        size = 1 << (length - 1).bit_length()
        return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[: len(sound)]


def room(seed: int, wet: float = DIRECT) -> Room:
    """One that rings for 0.2 to 0.5 s (to -60 dB), behind 20 to 200 ms of devices and air.

    Args:
        seed: another one, another room.
        wet: how loud the reverberation begins beside the direct sound: the farther, the louder.
    """
    rng = np.random.default_rng(seed)
    rings, delay = rng.uniform(0.2, 0.5), rng.uniform(0.02, 0.2)
    t = np.arange(int(rings * 16_000)) / 16_000
    response = rng.normal(0, wet, len(t)) * np.exp(-6.9 * t / rings)
    response[0] = 1.0
    response = np.concatenate([np.zeros(int(delay * 16_000)), response])
    return Room(response / np.sqrt(np.sum(response**2)), delay)


def level(sound: Wave) -> float:
    """Root mean square of what is not silent."""
    loud = sound[np.abs(sound) > 30]
    return float(np.sqrt(np.mean(loud * loud))) if len(loud) else 1.0


class Voices:
    """espeak-ng with any voice, speed and pitch."""

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._models: dict[tuple[int, int], ChildModel] = {}

    async def say(self, text: str, voice: str, rate: int = 165, pitch: int = 52, hertz: int = 16_000) -> Wave:
        """Speak."""
        import soxr

        model = self._models.get((rate, pitch))
        if model is None:
            engine = f"{built_in('espeak', 'tts').manifest.package}.engine:EspeakEngine"
            options = {"voice": "en-us", "rate": rate, "pitch": pitch}
            model = ChildModel(engine, options, 18, "tts", "espeak", Granting(), len(self._models) + 1)
            self._models[rate, pitch] = model
        own = await model.call("sample_rate")
        sound: Samples = np.frombuffer(b"".join([p async for p in model.stream("speak", text, voice)]), np.int16)
        return np.asarray(soxr.resample(sound.astype(np.float64), own, hertz))

    async def close(self) -> None:
        """End the children."""
        for model in self._models.values():
            await model.unload()


@asynccontextmanager
async def voices() -> AsyncIterator[Voices]:
    """Speak while the block runs."""
    speaking = Voices()
    try:
        yield speaking
    finally:
        await speaking.close()
