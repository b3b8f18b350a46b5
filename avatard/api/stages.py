"""The stages: one verb each. Policy (thresholds, padding, limits) stays in the core; a stage only computes.

What listens is opened for each source, so that two microphones never share state.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, runtime_checkable

from .flow import (
    AudioFrame,
    Container,
    EncodedChunk,
    Partial,
    Pixels,
    ReplyToken,
    Samples,
    Sentence,
    SessionView,
    SpeechAudio,
    SpokenGrammar,
    Transcript,
    VideoFrame,
    WakeDetected,
)


class Microphone(Protocol):
    """Where sound comes from."""

    @property
    def live(self) -> bool:
        """True when sound is lost unless it is read in time; a recording waits for its reader."""

    def frames(self) -> AsyncIterator[AudioFrame]:
        """Open the device and yield 16 kHz mono frames; closing the iterator closes the device.

        Raises:
            NotReady: the device is absent, busy or gone.
        """


@runtime_checkable
class Watched(Protocol):
    """A microphone whose sound tells whether it works: its converter always gives a little noise. Optional."""

    @property
    def watched(self) -> bool:
        """Whether exact zeros, and the same sound again and again, are a fault of it."""


@runtime_checkable
class Lossy(Protocol):
    """A microphone that may lose sound, and counts. Optional."""

    @property
    def dropped(self) -> int:
        """How often some was lost."""


class WakeStream(Protocol):
    """A wake detector's state for one source."""

    async def feed(self, frame: AudioFrame) -> WakeDetected | None:
        """Take the next frame; say which phrase was completed in it, if any."""


class WakeDetector(Protocol):
    """Hears wake phrases."""

    def open(self) -> AbstractAsyncContextManager[WakeStream]:
        """Start listening on one source."""


class VoiceStream(Protocol):
    """A voice activity detector's state for one source."""

    async def feed(self, frame: AudioFrame) -> float:
        """Take the next frame; return the probability (0–1) that somebody speaks in it."""


class VoiceActivityDetector(Protocol):
    """Tells speech from everything else."""

    def open(self) -> AbstractAsyncContextManager[VoiceStream]:
        """Start on one source."""


class RecognizerStream(Protocol):
    """One request on its way to a transcript."""

    async def feed(self, frame: AudioFrame) -> Partial | None:
        """Take the next frame; return what is believed so far when it has changed."""

    async def finish(self) -> Transcript:
        """Say what was heard. An empty text means that it was not understood."""


class SpeechRecognizer(Protocol):
    """Turns speech into text."""

    def open(self, language: str) -> AbstractAsyncContextManager[RecognizerStream]:
        """Start on one request; leaving the block abandons it."""


class Responder(Protocol):
    """Answers what was heard."""

    async def reply(self, heard: Transcript, session: SessionView) -> AsyncIterator[ReplyToken] | None:
        """Return the reply as it comes, or None where this responder does not understand."""

    def grammar(self, language: str) -> SpokenGrammar | None:
        """The sentences that it understands, for recognisers that need to be told; None when it takes any."""


class SpeechSynthesizer(Protocol):
    """Turns a sentence into sound."""

    def speak(self, sentence: Sentence) -> AsyncIterator[SpeechAudio]:
        """Yield the sentence's sound in order; exactly the last piece has ``last`` set."""


class LipSyncRenderer(Protocol):
    """Turns speech into a talking face."""

    def render(self, speech: AsyncIterator[SpeechAudio]) -> AsyncIterator[VideoFrame]:
        """Yield 25 frames a second of speech, each with its own 1920 samples at 48 kHz.

        The speech is at 48 kHz. The last frame of the answer is padded with silence; pts counts from 0 by 1/25 s.
        """

    def idle(self, seconds: float) -> AsyncIterator[VideoFrame]:
        """Yield silent pictures of the face at rest; the last leads back into the first."""


class VideoEncoder(Protocol):
    """Turns frames into a stream."""

    def encode(self, frames: AsyncIterator[VideoFrame], container: Container) -> AsyncIterator[EncodedChunk]:
        """Yield the stream's header and then its chunks as they come, until the frames end."""


class DisplaySink(Protocol):
    """Where the answer is seen and heard."""

    @property
    def accepts(self) -> Literal["frames"] | Container:
        """What ``play`` takes: raw frames, or an encoded stream."""

    @property
    def pictures(self) -> bool:
        """False where nobody sees it: then no picture is drawn for it."""

    @property
    def shown(self) -> float:
        """How far the answer was really heard: seconds from its start."""

    async def play(self, stream: AsyncIterator[VideoFrame] | AsyncIterator[EncodedChunk]) -> None:
        """Play to the end by the display's own clock; return when the last sample was heard.

        Cancelling it stops sound and picture at once.

        Raises:
            NotReady: the device is absent, busy or gone.
        """

    async def chime(self, sound: Samples) -> None:
        """Play a short sound (48 kHz mono) now; a display without sound ignores it."""

    def set_volume(self, percent: int) -> None:
        """Set the loudness, 0–100, at once."""


@runtime_checkable
class Choices(Protocol):
    """A stage of which there are several: a synthesizer's voices, a renderer's faces. Optional."""

    @property
    def choices(self) -> tuple[str, ...]:
        """What can be chosen."""

    @property
    def chosen(self) -> str:
        """What is chosen."""

    async def choose(self, name: str) -> None:
        """Choose another one, from the next sentence or answer on.

        Raises:
            Refused: there is no such one.
        """


@runtime_checkable
class Known(Protocol):
    """An engine that says what is really at work in it: which of ffmpeg's encoders. Optional."""

    @property
    def known_as(self) -> str:
        """E.g. ``libx264``; empty while that is not known."""


@runtime_checkable
class Portrayed(Protocol):
    """A renderer that can show a face which it does not wear. Optional."""

    async def portrait(self, name: str) -> Pixels | None:
        """A small picture of one of its choices; None where there is no such face."""


@runtime_checkable
class Screen(Protocol):
    """A display whose screen can be switched. Optional."""

    @property
    def screen(self) -> bool:
        """Whether it is on."""

    async def set_screen(self, on: bool) -> None:
        """Switch it on or off."""


@runtime_checkable
class Follower(Protocol):
    """A display that shows its pictures by the clock of the first one where it is not the first itself. Optional."""

    def follow(self, shown: Callable[[], float] | None) -> None:
        """Said before each ``play``: how far the first display has come, seconds; None: it is the clock."""


@runtime_checkable
class Paced(Protocol):
    """A renderer that can draw every second picture only, at about half the cost. Optional."""

    rate: Literal["full", "half"]
    """At ``half`` every second frame, from the next one on, has None for its picture: it was not drawn.

    The core puts between two pictures what lies halfway between them. An answer's last picture is always drawn.
    """


@runtime_checkable
class Patient(Protocol):
    """A display that may have to be waited for, and for which nothing is late: a file. Optional."""

    @property
    def patient(self) -> bool:
        """Whether it takes frames whenever they come."""
