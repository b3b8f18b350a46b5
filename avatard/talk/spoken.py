"""What was really said of an answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from avatard.api.flow import FPS, Sentence, VideoFrame

SLACK = 2 / FPS
"""Seconds by which the frames of a sentence may be fewer than its sound: a frame on its border is one sentence's."""
CHARACTER = 0.06
"""Seconds in which a character is said."""


class Spoken:
    """What was really said: sentences and where they lie in the answer."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.count = 0
        self._spans: dict[int, tuple[Sentence, float, float]] = {}
        self._lengths: dict[int, tuple[float, bool]] = {}
        """Of a sentence's sound, seconds, and whether that is all of it."""

    def lasts(self, index: int, seconds: float, whole: bool) -> None:
        """A sentence has so many seconds of sound more; ``whole``: with them it has all of its sound."""
        self._lengths[index] = self._lengths.get(index, (0.0, False))[0] + seconds, whole

    async def through(self, frames: AsyncGenerator[VideoFrame, None]) -> AsyncIterator[VideoFrame]:
        """Pass the frames on, noting which sentence each belongs to."""
        async with aclosing(frames):
            async for frame in frames:
                self.count += 1
                if frame.sentence is not None:
                    end = frame.pts + 1 / FPS
                    begin = self._spans.get(frame.sentence.index, (None, frame.pts, end))[1]
                    self._spans[frame.sentence.index] = (frame.sentence, begin, end)
                yield frame

    def sentences(self, shown: float, complete: bool) -> list[Sentence]:
        """The sentences that were heard to their end (all of them where the answer is ``complete``)."""
        return [
            sentence for sentence, begin, end in self._spans.values()
            if complete or max(end, begin + self._length(sentence) - SLACK) <= shown + 1e-6
        ]  # fmt: skip

    def texts(self) -> list[str]:
        """The sentences so far, heard or not."""
        return [sentence.text for sentence, _, _ in self._spans.values()]

    def text(self, shown: float, complete: bool) -> str:
        """What was heard of the reply; of a sentence that was cut off, the words that were heard."""
        words: list[str] = []
        for sentence, begin, end in self._spans.values():
            if sentence.aside:
                continue
            length = max(end - begin, self._length(sentence), 1e-6)
            share = 1.0 if complete else min(1.0, max(0.0, (shown - begin) / length))
            parts = sentence.text.split()
            words += parts[: int(len(parts) * share + 1e-6)]
        return " ".join(words)

    def _length(self, sentence: Sentence) -> float:
        """How long the sentence sounds, seconds; a guess where its voice has not come to its end."""
        seconds, whole = self._lengths.get(sentence.index, (0.0, True))
        return seconds if whole else max(seconds, len(sentence.text) * CHARACTER)
