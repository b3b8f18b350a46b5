"""What is said, in runs: sentences that are drawn in one go, one that is drawn to be kept, one that was kept."""

from __future__ import annotations

from dataclasses import dataclass

from avatard.api.flow import Sentence, SpeechAudio
from avatard.talk.phrases import Phrase
from avatard.talk.streams import Drain


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

    def __init__(self, pieces: Drain[Piece], first: SpeechAudio | None, key: str | None) -> None:
        """Begin with this piece, where it was read already; with a ``key`` it ends with the sentence."""
        self.key = key
        self.after: Known | Keep | None = None
        """What was read that comes behind it."""
        self.last = False
        """Whether nothing comes behind it."""
        self.whole = False
        """Whether it has come to its sentence's end."""
        self._pieces, self._first = pieces, first
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
            piece = await anext(self._pieces, None)
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


class Runs:
    """Takes an answer's pieces apart into runs; each must be read to its end before the next."""

    def __init__(self, pieces: Drain[Piece]) -> None:
        """Take the pieces."""
        self._pieces = pieces
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
            self._run = Run(self._pieces, None, piece.key)
        else:
            self._run = Run(self._pieces, piece, None)
        return self._run
