"""What flows between the stages: frozen dataclasses, units under each attribute."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
"""Mono sound, shape (n,), int16."""

Pixels = NDArray[np.uint8]
"""A picture, shape (height, width, 3), BGR, uint8."""

LISTEN_RATE = 16_000
"""Hz: every AudioFrame from a microphone."""

SPEECH_RATE = 48_000
"""Hz: every VideoFrame's sound; AAC's priming is shortest there (21 ms)."""

FPS = 25
"""Pictures a second."""

FRAME_SAMPLES = SPEECH_RATE // FPS
"""Samples of sound in one VideoFrame: 1920."""

Container = Literal["fmp4", "mpegts", "mp4"]
"""How a VideoEncoder wraps its stream.

``fmp4``: a header, then a fragment for each picture. ``mpegts``: whole packets of 188 bytes. ``mp4``: a finished film
that can be sought in, without sound, for loops at rest; it comes in pieces once the frames have ended.
"""


@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame:
    """A piece of sound from a microphone."""

    samples: Samples
    rate: int
    """Hz"""
    at: float
    """Position of the first sample in the microphone's stream, seconds."""
    captured: float
    """When the last sample was captured, monotonic seconds (``time.monotonic``)."""

    @property
    def end(self) -> float:
        """Position just after the last sample, seconds."""
        return self.at + len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class WakeDetected:
    """A wake phrase was heard."""

    phrase: str
    score: float
    """0–1"""
    at: float
    """Position in the microphone's stream, seconds."""


@dataclass(frozen=True, slots=True)
class Partial:
    """What the recogniser believes so far."""

    text: str
    complete: bool = False
    """It is a whole command, and nothing that is known could follow: a shorter silence ends it."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said; an empty text means that nothing was understood."""

    text: str
    language: str = "en"
    confidence: float = 1.0
    """0–1; below 1 it is a guess"""


MORE = "…"
"""Stands at the end of what was unsaid where the reply had not all come."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and what was really said in answer to it."""

    heard: str
    said: str
    unsaid: str = ""
    """What was still to be said when it was interrupted, from the sentence on that was cut off"""


@dataclass(frozen=True, slots=True)
class SessionView:
    """What a responder may know of the session."""

    id: str
    language: str = "en"
    history: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class SpokenGrammar:
    """Sentences that a responder understands, for recognisers that need to be told.

    Source: the JSGF 1.0 specification's rule expansions; words are lower case.
    """

    rules: dict[str, str] = field(default_factory=dict)
    """Rule name → expansion, e.g. ``{"room": "kitchen | office"}``; refer to another rule as ``<room>``."""
    sentences: tuple[str, ...] = ()
    """Expansions that are complete sentences, e.g. ``turn (on | off) the <room> lights``."""


@dataclass(frozen=True, slots=True)
class ReplyToken:
    """A piece of a reply's text, as it comes."""

    text: str
    aside: bool = False
    """A sentence that is said while the reply is awaited, and is no part of it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A whole sentence of a reply."""

    text: str
    index: int
    """0 for the first of a reply"""
    language: str = "en"
    aside: bool = False
    """Said while the reply is awaited; no part of it, nor of what the session remembers."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeechAudio:
    """A piece of a spoken sentence."""

    sentence: Sentence
    audio: Samples
    rate: int
    """Hz"""
    last: bool
    """True on the sentence's last piece (which may be empty)."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """A picture and the sound that belongs to it, so that sync is a property of the data."""

    pixels: Pixels | None
    """None repeats the last picture."""
    audio: Samples
    """shape (1920,): 40 ms at 48 kHz"""
    pts: float
    """Presentation time since the first frame of the answer, seconds."""
    sentence: Sentence | None = None
    """The sentence that is being spoken, for subtitles and for what was really said."""


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """A piece of an encoded stream."""

    data: bytes
    pts: float
    """Seconds, of the first picture inside."""
    keyframe: bool
    """Whether it can be begun with: a header, or a fragment behind one whose picture needs no other."""
    header: bool = False
    """In ``fmp4``: what every reader needs before any fragment; a second one begins the stream anew."""


@dataclass(frozen=True, slots=True, eq=False)
class IdleLoop:
    """The face at rest as a finished film without sound, which a display repeats by itself."""

    path: Path
    """An MP4 file, H.264, whose last picture leads back into its first."""
    first: Pixels
    """Its first picture, for whoever cannot play the film."""
    key: str
    """Another face, or the same one drawn otherwise, has another key."""
