"""Not to hear oneself: what a canceller does, and what displays and wake detectors can contribute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .flow import AudioFrame, Samples


class EchoStream(Protocol):
    """An echo canceller's state for one source."""

    async def clean(self, frame: AudioFrame, played: Samples) -> AudioFrame:
        """Return the frame without the echo of what was ``played`` at its time: 16 kHz, as long as the frame.

        Raises:
            StageFailed, NotReady, OutOfMemory: the frame has to be taken as it is.
        """


class EchoCanceller(Protocol):
    """Takes our own voice out of what the microphone hears."""

    def open(self) -> AbstractAsyncContextManager[EchoStream]:
        """Start on one source. Frames come only while something sounds, and shortly after."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Our own speech resembles a wake phrase."""

    phrase: str
    share: float
    """Of the probability from which on it wakes: 1 and more would have woken it."""


class Rehearsal(Protocol):
    """A wake detector's state for our own speech."""

    async def feed(self, frame: AudioFrame) -> Sequence[Likeness]:
        """Take the next frame; say what in it might be taken for a phrase, in a room that makes it clearer too."""


@runtime_checkable
class Rehearsing(Protocol):
    """A wake detector that can be asked what our own speech would trigger. Optional."""

    def rehearse(self) -> AbstractAsyncContextManager[Rehearsal]:
        """Start on our own speech."""


@runtime_checkable
class Audible(Protocol):
    """A display that sounds in its microphone's room, and tells what it plays. Optional."""

    def tell(self, played: Callable[[Samples, float], None]) -> None:
        """Call ``played(sound, when)`` with all that is given to the loudspeaker from now on, from any thread.

        The sound is 48 kHz, as loud as it is played; the silence between counts. ``when``, monotonic seconds, is when
        it was given to the device, so not later than it is heard. An empty sound says that a stream begins.
        """
