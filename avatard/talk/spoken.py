"""What was really said of an answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from avatard.api.flow import FPS, Sentence, VideoFrame


class Spoken:
    """What was really said: sentences and where they lie in the answer."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.count = 0
        self._spans: dict[int, tuple[Sentence, float, float]] = {}

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
        return [sentence for sentence, _, end in self._spans.values() if complete or end <= shown + 1e-6]

    def texts(self) -> list[str]:
        """The sentences so far, heard or not."""
        return [sentence.text for sentence, _, _ in self._spans.values()]

    def text(self, shown: float, complete: bool) -> str:
        """What was heard of the reply; of a sentence that was cut off, the words that were heard."""
        words: list[str] = []
        for sentence, begin, end in self._spans.values():
            if sentence.aside:
                continue
            share = 1.0 if complete else min(1.0, max(0.0, (shown - begin) / max(end - begin, 1e-6)))
            parts = sentence.text.split()
            words += parts[: int(len(parts) * share + 1e-6)]
        return " ".join(words)
