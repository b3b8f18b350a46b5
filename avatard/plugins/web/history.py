"""What happened lately, so that a page that is opened late has a curve and a log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from avatard.api.news import Event, Health, TurnFinished

REPORTS = 180
"""Of health: one each half minute, and some more where something changed; an hour is shown."""
HOUR = 3600.0
TURNS = 50
LINES = 200
"""Lines of the log"""
WIDTH = 500
"""Characters of a line"""


class History:
    """Bounded rings."""

    def __init__(self) -> None:
        """Nothing has happened."""
        self.health: Health | None = None
        self.turns_finished = self.turns_failed = 0
        self._reports: deque[dict[str, Any]] = deque(maxlen=REPORTS)
        self._turns: deque[dict[str, Any]] = deque(maxlen=TURNS)

    def take(self, event: Event, message: dict[str, Any]) -> None:
        """Keep what is worth keeping; a kept message gets the time, seconds since 1970."""
        if isinstance(event, Health):
            self.health = event
            message["at_time"] = round(time.time(), 1)
            self._reports.append(message)
        elif isinstance(event, TurnFinished):
            self.turns_finished += 1
            self.turns_failed += bool(event.report.error)
            message["at_time"] = round(time.time(), 1)
            self._turns.append(message)

    def told(self) -> list[dict[str, Any]]:
        """All that is kept of the last hour, oldest first."""
        since = time.time() - HOUR
        return [m | {"past": True} for m in (*self._reports, *self._turns) if m["at_time"] >= since]


class LogTail(logging.Handler):
    """The end of the log, for the control page; whatever thread writes it."""

    def __init__(self, tell: Callable[[dict[str, Any]], None], secret: str) -> None:
        """Hand each line to ``tell`` on the event loop; ``secret`` is left out of it."""
        super().__init__(logging.INFO)
        self._tell, self._secret = tell, secret
        self._loop = asyncio.get_running_loop()
        self._lines: deque[dict[str, Any]] = deque(maxlen=LINES)
        self._waiting = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        try:
            text = f"{record.name}: {record.getMessage()}"
        except Exception:  # a stranger's record may not fit its arguments
            self.handleError(record)
            return
        if self._secret:
            text = text.replace(self._secret, "…")
        line = {"type": "log", "level": record.levelname.lower(), "text": text[:WIDTH], "at": round(record.created, 2)}
        self._lines.append(line)
        if self._waiting < LINES:
            self._waiting += 1
            try:
                self._loop.call_soon_threadsafe(self._told, line)
            except RuntimeError:  # the loop has closed
                return

    def told(self) -> list[dict[str, Any]]:
        """The lines that are kept, oldest first."""
        return [line | {"past": True} for line in self._lines]

    def _told(self, line: dict[str, Any]) -> None:
        self._waiting -= 1
        self._tell(line)


