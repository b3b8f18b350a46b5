"""Those who listen in ``avatard bench echo``: the same sound in an ear for each guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import numpy as np

from avatard.api.echo import EchoCanceller
from avatard.api.flow import FPS, FRAME_SAMPLES, LISTEN_RATE, SPEECH_RATE, AudioFrame, Samples, VideoFrame
from avatard.api.stages import WakeDetector
from avatard.cli.echo_tally import GUARDS
from avatard.runtime.feed import Feed
from avatard.runtime.voices import Wave
from avatard.talk.attention import Attention, Ear
from avatard.talk.ownvoice import OwnVoice
from avatard.talk.played import Played
from avatard.talk.recorded import FRAME, frames_of


class Listener:
    """One guard's ear, and its own idea of what we say."""

    def __init__(self, guard: str, wake: WakeDetector, cancellers: Sequence[EchoCanceller]) -> None:
        """Nothing was heard yet."""
        self.guard, self.now, self.shown = guard, 0.0, 0.0
        self.own = OwnVoice(lambda: self.shown, lambda: self.now)
        self.played = Played()
        cancels = guard in ("cancelling", "with")
        self._live = guard != "without"
        self._attention = Attention(wake, self.own, self.played, cancellers if cancels else (), Feed())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Ear]:
        """Listen."""
        async with self._attention.open(self._live) as ear:
            if self.guard == "cancelling":
                self.own.rehearsal = None
            yield ear


class Guards:
    """All of them."""

    def __init__(self, wake: WakeDetector, cancellers: Sequence[EchoCanceller]) -> None:
        """Use these engines."""
        self._wake, self._cancellers = wake, cancellers

    async def warm(self) -> None:
        """Return when the canceller is at work: it starts with the first frame."""
        async with self._cancellers[0].open() as stream:
            frame = AudioFrame(np.full(FRAME, 100, np.int16), LISTEN_RATE, 0.0, 0.0)
            for _ in range(100):
                if await stream.clean(frame, frame.samples) is not frame:
                    return
                await asyncio.sleep(0.1)

    async def listen(self, said: Wave, heard: Wave) -> dict[str, list[tuple[str, float]]]:
        """Say it once, in all guards' ears; return each one's wake words and where."""
        found: dict[str, list[tuple[str, float]]] = {guard: [] for guard in GUARDS}
        given, sound = whole(said), whole(heard)
        listeners = [Listener(guard, self._wake, self._cancellers) for guard in GUARDS]
        async with AsyncExitStack() as stack:
            ears = [await stack.enter_async_context(one.open()) for one in listeners]
            for one, ear in zip(listeners, ears, strict=True):
                with one.own.speaking(list) as answer:
                    async for _ in one.own.rehearsed(_pictures(given), answer):
                        pass
                    for frame in frames_of(sound):
                        first = round(frame.at * SPEECH_RATE)
                        piece = given[first : first + 3 * FRAME]
                        # A device takes what it is given some time before it is heard.
                        one.played.add(piece, frame.at)
                        one.now, one.shown = frame.captured, max(1e-3, frame.end)
                        _, detected = await ear.take(frame)
                        if detected is not None:
                            found[one.guard].append((detected.phrase, frame.end))
        return found

    async def plain(self, sound: Wave) -> list[tuple[str, float]]:
        """The wake words in a sound."""
        async with self._wake.open() as stream:
            found = [await stream.feed(frame) for frame in frames_of(whole(sound))]
        return [(one.phrase, one.at) for one in found if one is not None]


def whole(sound: Wave) -> Samples:
    """Sound as a device gives it."""
    return np.clip(sound, -32768, 32767).astype(np.int16)


async def _pictures(given: Samples) -> AsyncGenerator[VideoFrame, None]:
    for index in range(len(given) // FRAME_SAMPLES):
        yield VideoFrame(None, given[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES], index / FPS)
