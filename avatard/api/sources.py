"""An engine that keeps a state for each source: ``open(number)`` makes it, ``end(number)`` forgets it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .context import Model
from .echo import Likeness, Rehearsal
from .flow import AudioFrame, WakeDetected
from .stages import VoiceStream, WakeStream

_numbers = itertools.count(1)


@asynccontextmanager
async def opened(model: Model) -> AsyncIterator[int]:
    """Have the model keep a state while the block runs; the model is never put down under it."""
    async with model.use():
        number = next(_numbers)
        try:
            # Whoever is cancelled meanwhile knows the number all the same: an engine that is at it goes on to open.
            await model.call("open", number)
            yield number
        finally:
            await model.call("end", number)


class Source:
    """An engine's state for one source."""

    def __init__(self, model: Model, number: int) -> None:
        """Use the engine's state with this number."""
        self._model, self._number = model, number


class SourceVoice(Source):
    """A voice activity engine's state for one source."""

    async def feed(self, frame: AudioFrame) -> float:
        """Take the next frame."""
        return float(await self._model.call("feed", self._number, frame.samples.tobytes()))


class ModelVoiceDetector:
    """A voice activity detector whose engine's ``feed(number, sound)`` returns a probability."""

    def __init__(self, model: Model) -> None:
        """Use the loaded engine."""
        self._model = model

    @asynccontextmanager
    async def open(self) -> AsyncIterator[VoiceStream]:
        """Start on one source."""
        async with opened(self._model) as number:
            yield SourceVoice(self._model, number)


class SourceWake(Source):
    """A wake engine's state for one source."""

    async def feed(self, frame: AudioFrame) -> WakeDetected | None:
        """Take the next frame."""
        found = await self._model.call("feed", self._number, frame.samples.tobytes(), frame.end)
        return WakeDetected(found[0], found[1], frame.end) if found else None


class ModelWakeDetector:
    """A wake detector whose engine's ``feed(number, sound, end)`` returns a phrase and its score, or None."""

    def __init__(self, model: Model) -> None:
        """Use the model."""
        self._model = model

    @asynccontextmanager
    async def open(self) -> AsyncIterator[WakeStream]:
        """Start listening on one source."""
        async with opened(self._model) as number:
            yield SourceWake(self._model, number)


class SourceRehearsal(Source):
    """A wake engine's state for our own speech."""

    async def feed(self, frame: AudioFrame) -> list[Likeness]:
        """Take the next frame."""
        shares: dict[str, float] = {}
        for phrase, share in await self._model.call("rehearse", self._number, frame.samples.tobytes()):
            shares[phrase] = max(share, shares.get(phrase, 0.0))
        return [Likeness(phrase, share) for phrase, share in shares.items()]


class RehearsingWakeDetector(ModelWakeDetector):
    """One whose engine's ``rehearse(number, sound)`` returns (phrase, share of what would wake it) pairs."""

    @asynccontextmanager
    async def rehearse(self) -> AsyncIterator[Rehearsal]:
        """Start on our own speech."""
        async with opened(self._model) as number:
            yield SourceRehearsal(self._model, number)
