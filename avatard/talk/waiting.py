"""What waits to be said in a place: the more urgent first, then the older; who is dropped is told."""

from __future__ import annotations

from avatard.api.errors import Refused
from avatard.api.news import News, TurnFinished, TurnReport
from avatard.talk.requests import Request

DROPPED = "stopped before it began"
"""What the sender of a queued turn is told."""


class Waiting:
    """A bounded queue of announcements and written questions."""

    def __init__(self, limit: int, news: News) -> None:
        """Take at most ``limit``; tell of those that are dropped."""
        self._limit, self._news = limit, news
        self._requests: list[Request] = []

    def __len__(self) -> int:
        """How many wait."""
        return len(self._requests)

    def add(self, request: Request) -> None:
        """Queue one.

        Raises:
            Refused: the queue is full.
        """
        if len(self._requests) >= self._limit:
            raise Refused(f"{len(self._requests)} announcements wait already (sessions: max_queue)")
        self._requests.append(request)
        self._requests.sort(key=lambda r: (-r.priority, r.turn))

    def next(self) -> Request:
        """Take the one whose turn it is."""
        return self._requests.pop(0)

    def drop(self, turn: int | None = None) -> None:
        """Drop this one, or all of them."""
        dropped = [request for request in self._requests if turn in (None, request.turn)]
        self._requests = [request for request in self._requests if request not in dropped]
        for request in dropped:
            unheard(request, self._news, DROPPED)


def unheard(request: Request, news: News, why: str) -> None:
    """Tell that a turn ended before it began."""
    heard = request.text if request.kind == "ask" else ""
    report = TurnReport(request.turn, request.source, heard, interrupted=True, error=why)
    request.end(report)
    if request.kind != "hear":
        news.publish(TurnFinished(report))
