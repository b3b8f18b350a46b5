"""Our own voice: when it sounds, and what of it might be taken for a person's."""

from __future__ import annotations

import difflib
import math
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from avatard.api.echo import Likeness, Rehearsal
from avatard.api.flow import FPS, LISTEN_RATE, SPEECH_RATE, AudioFrame, VideoFrame

TAIL = 1.0
"""Seconds that a room may ring on, and that what was heard may take to come through."""
BEFORE, AFTER = 0.4, 0.9
"""Seconds round where our speech completes a wake phrase, in which that phrase is ours.

A detector completes an echo's phrase within 0.1 s of the speech's own; the rest is for displays whose position is
known roughly.
"""
PLAIN = 0.5
"""Share of what wakes from which on any phrase is ours there: what a room leaves of one may be taken for another."""
LIKE = 256
"""Likenesses to wake phrases in one answer that are remembered."""
ALIKE = 0.8
"""Share of the words that were heard and are those that were said (difflib's ratio), from which on it is an echo."""
LONG = 4
"""Letters of a word that tells what a stop phrase says."""
FEW = 3
"""Words; fewer may be an answer to what was said, which takes up its words."""


@dataclass(slots=True)
class Speaking:
    """One answer while it is said, and for a while afterwards."""

    texts: Callable[[], list[str]]
    """Its sentences so far."""
    like: deque[tuple[float, Likeness]] = field(default_factory=lambda: deque(maxlen=LIKE))
    """What in it resembles wake phrases, and where those are complete, seconds of the answer."""
    lines: list[tuple[float, str]] = field(default_factory=list)
    """Where each sentence begins, seconds of the answer, and its text."""
    begun: bool = False
    """Its first frame is on its way."""
    origin: float | None = None
    """When its position 0 was heard, monotonic seconds."""
    given: float | None = None
    """When its first frame was given to the displays, monotonic seconds: some know their position badly."""
    ended: float | None = None
    """Monotonic seconds"""

    def sounds(self, at: float) -> bool:
        """Whether it may be heard at a moment, monotonic seconds."""
        return self.begun and (self.ended is None or at < self.ended + TAIL)

    def wakes(self, phrase: str, at: float) -> bool:
        """Whether it says about then what might be taken for this wake phrase."""
        origins = [origin for origin in (self.origin, self.given) if origin is not None]
        return any(
            (like.phrase == phrase or like.share >= PLAIN) and -BEFORE <= at - origin - there <= AFTER
            for there, like in self.like
            for origin in origins
        )

    def says(self, words: list[str], at: float) -> bool:
        """Whether a sentence with one of them is said about then; where that is not known, at all."""
        origins = [origin for origin in (self.origin, self.given) if origin is not None]
        ends = [begins for begins, _ in self.lines[1:]] + [math.inf]
        return self.sounds(at) and any(
            any(word in text.lower() for word in words)
            and (not origins or any(b - BEFORE <= at - o <= e + AFTER for o in origins))
            for (b, text), e in zip(self.lines, ends, strict=True)
        )


class OwnVoice:
    """What a place says, for whoever listens there."""

    def __init__(self, shown: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing was said yet; ``shown()`` is how far the answer was heard, seconds."""
        self._clock = clock
        self.rehearsal: Rehearsal | None = None
        """Hears our speech before it sounds; None while nobody listens for wake words."""
        self._shown = shown
        self._rehearsed = 0.0
        """Seconds, of all answers: the stream goes on from one to the next."""
        self._answers: deque[Speaking] = deque(maxlen=2)
        """The one that is said, and the one before."""

    @contextmanager
    def speaking(self, texts: Callable[[], list[str]]) -> Iterator[Speaking]:
        """An answer is given while the block runs."""
        answer = Speaking(texts)
        self._answers.append(answer)
        try:
            yield answer
        finally:
            answer.ended = self._clock()

    async def rehearsed(
        self, frames: AsyncIterator[VideoFrame], answer: Speaking
    ) -> AsyncIterator[VideoFrame]:
        """Pass the frames on; note what a wake detector would find in their sound."""
        slower = None
        async with aclosing(cast("AsyncGenerator[VideoFrame, None]", frames)):
            async for frame in frames:
                stream = self.rehearsal
                if stream is not None:
                    slower = slower or _slower()
                    sound, end = slower(frame.audio), frame.pts + 1 / FPS
                    heard = AudioFrame(sound, LISTEN_RATE, self._rehearsed, 0.0)
                    self._rehearsed = heard.end
                    answer.like.extend((end, like) for like in await stream.feed(heard))
                if frame.sentence is not None and (not answer.lines or answer.lines[-1][1] != frame.sentence.text):
                    answer.lines.append((frame.pts, frame.sentence.text))
                answer.begun = True
                yield frame

    def sounds(self, frame: AudioFrame) -> bool:
        """Whether we may be heard in a frame from the microphone."""
        begins = frame.captured - len(frame.samples) / frame.rate
        for answer in self._answers:
            if answer.ended is None and (shown := self._shown()) > 0:
                answer.origin = self._clock() - shown
        return any(answer.sounds(begins) for answer in self._answers)

    def wakes(self, phrase: str, at: float) -> bool:
        """Whether we say what might be taken for a wake phrase at a moment, monotonic seconds."""
        return any(answer.wakes(phrase, at) for answer in self._answers)

    def says(self, phrase: str, at: float) -> bool:
        """Whether what we say about a moment, monotonic seconds, has one of the phrase's words in it.

        Short ones do not count beside a longer one: every sentence has an "it".
        """
        words = phrase.lower().split()
        words = [word for word in words if len(word) >= LONG] or words
        return any(answer.says(words, at) for answer in self._answers)

    def repeated(self, text: str, at: float) -> bool:
        """Whether what was heard, and ended at a moment, is what we said then."""
        heard = _words(text)
        return bool(heard) and any(
            _alike(heard, answer.texts()) for answer in self._answers if answer.sounds(at)
        )


def _slower() -> Callable[[np.ndarray], np.ndarray]:
    import soxr

    stream = soxr.ResampleStream(SPEECH_RATE, LISTEN_RATE, 1, dtype="int16", quality="MQ")
    return lambda audio: stream.resample_chunk(audio)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _alike(heard: list[str], texts: list[str]) -> bool:
    """Whether these words are a sentence of these, or run on through some of them."""
    sentences = [_words(text) for text in texts]
    if len(heard) > 1 and any(heard == sentence for sentence in sentences):
        return True
    said = [word for sentence in sentences for word in sentence]
    if len(heard) < FEW:
        return False
    found = difflib.SequenceMatcher(None, heard, said, autojunk=False).get_matching_blocks()
    first, last = found[0], found[-2] if len(found) > 1 else found[0]
    span = last.b + last.size - first.b
    return 2 * sum(block.size for block in found) / (len(heard) + max(span, 1)) >= ALIKE
