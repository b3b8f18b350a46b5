"""What a turn is about, and what comes of it."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Literal

from avatard.api.door import Ticket
from avatard.api.errors import Refused
from avatard.api.flow import WakeDetected
from avatard.api.news import TurnReport
from avatard.talk.sentences import has_words
from avatard.talk.streams import Hearing

_numbers = itertools.count(1)


@dataclass(slots=True, eq=False)
class Request:
    """One turn before it begins."""

    kind: Literal["hear", "ask", "say", "ring"]
    source: str
    text: str = ""
    session: str = "room"
    priority: int = 0
    volume: int | None = None
    language: str = "en"
    wake: WakeDetected | None = None
    hearing: Hearing | None = None
    turn: int = field(default_factory=lambda: next(_numbers))
    finished: asyncio.Future[TurnReport] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def ticket(self) -> Ticket:
        """What its sender gets."""
        return Ticket(self.turn, self.finished)

    def end(self, report: TurnReport) -> None:
        """Tell its sender, once."""
        if not self.finished.done():
            self.finished.set_result(report)


def checked(text: str, longest: int) -> str:
    """Return the text without its outer white space.

    Raises:
        Refused: there are no words in it, or it is longer than ``longest`` characters.
    """
    text = text.encode("utf-8", "replace").decode().strip()
    if not has_words(text):
        raise Refused("there are no words in the text: nothing to say")
    if len(text) > longest:
        raise Refused(f"the text has {len(text)} characters; at most {longest} are taken (sessions: max_text)")
    return text
