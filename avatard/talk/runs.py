"""What is said, in runs: sentences that are drawn in one go, one that is drawn to be kept, one that was kept.

A run also ends with its sentence where the next one is not there in time: a renderer holds the last sound back until
it knows what its mouth does next, and nobody knows how long that takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from avatard.api.flow import Sentence, SpeechAudio
from avatard.talk.phrases import Phrase
from avatard.talk.streams import Drain

SPARE = 0.16
"""Seconds before all is shown that was drawn, when the next sentence must be there."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A sentence that was kept."""

    sentence: Sentence
    phrase: Phrase


@dataclass(frozen=True, slots=True)
class Keep:
    """The sentence whose sound follows is to be kept under this key."""

    key: str


Piece = SpeechAudio | Known | Keep


class Run:
    """The sound of one run. Whoever is cancelled while waiting for the next piece has lost none."""

    def __init__(
        self, pieces: Drain[Piece], first: SpeechAudio | None, key: str | None, lead: Callable[[], float] | None
    ) -> None:
        """Begin with this piece, where it was read already; with a ``key`` it ends with the sentence.

        ``lead`` tells for how many seconds there are frames; None: nobody waits for them.
        """
        self.key = key
        self.after: Known | Keep | None = None
        """What was read that comes behind it."""
        self.last = False
        """Whether nothing comes behind it."""
        self.whole = False
        """Whether it has come to its sentence's end."""
        self._pieces, self._first, self._lead = pieces, first, lead
        self._ended = False

    def __aiter__(self) -> Run:
        """Go on from where it was read to."""
        return self

    async def __anext__(self) -> SpeechAudio:
        """Take the next piece."""
        if self._ended:
            raise StopAsyncIteration
        piece: Piece | None
        if self._first is not None:
            piece, self._first = self._first, None
        else:
            piece = await self._next()
        if isinstance(piece, SpeechAudio):
            self.whole = piece.last
            self._ended = self.key is not None and piece.last
            return piece
        self._ended = True
        self.after, self.last = piece, piece is None
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Read no more of it."""
        self._ended = True

    async def _next(self) -> Piece | None:
        while True:
            lead = self._lead if self.whole else None
            try:
                async with asyncio.timeout(None if lead is None else max(0.0, lead() - SPARE)):
                    return await anext(self._pieces, None)
            except TimeoutError:
                if lead is not None and lead() <= SPARE:
                    self._ended = True
                    raise StopAsyncIteration from None


class Runs:
    """Takes an answer's pieces apart into runs; each must be read to its end before the next."""

    def __init__(self, pieces: Drain[Piece], lead: Callable[[], float] | None = None) -> None:
        """Take the pieces; ``lead`` as in ``Run``."""
        self._pieces, self._lead = pieces, lead
        self._run: Run | None = None

    def __aiter__(self) -> Runs:
        """Go on from where it was read to."""
        return self

    async def __anext__(self) -> Run | Known:
        """Begin the next run."""
        if self._run is not None and self._run.last:
            raise StopAsyncIteration
        after = self._run.after if self._run is not None else None
        piece: Piece = after if after is not None else await anext(self._pieces)
        self._run = None
        if isinstance(piece, Known):
            return piece
        if isinstance(piece, Keep):
            self._run = Run(self._pieces, None, piece.key, self._lead)
        else:
            self._run = Run(self._pieces, piece, None, self._lead)
        return self._run
