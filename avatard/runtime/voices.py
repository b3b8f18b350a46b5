"""Voices of others: espeak-ng with any voice, for what tests a detector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import Samples
from avatard.runtime.config import built_in
from avatard.runtime.model import Granting
from avatard.runtime.worker import ChildModel

Wave = NDArray[np.float64]
"""Mono sound, int16's scale."""


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
