"""What the doctor finds, told as it comes: a row for each part."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
import shutil
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

State = Literal["ok", "warning", "failed"]
COLOURS = {"ok": "32", "warning": "33", "failed": "31"}
SIGNS, PLAIN_SIGNS = {"ok": "✓", "warning": "!", "failed": "✗"}, {"ok": "+", "warning": "!", "failed": "x"}
TURNING, PLAIN_TURNING = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
WIDEST, PART = 96, 26
"""Columns of a line, and of a part's name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row."""

    part: str
    state: State
    what: str
    """What was found, with its figures"""
    fix: str = ""
    """What to do, with the command to type; where it is not ok, never empty"""
    figures: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As in ``--json``."""
        return dataclasses.asdict(self)


class Teller:
    """Prints findings, and on a terminal what is looked at meanwhile."""

    def __init__(self, out: TextIO) -> None:
        """Print there; colours and a moving sign only on a terminal."""
        self.live = out.isatty()
        self.findings: list[Finding] = []
        self._out = out
        self._coloured = self.live and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        plain = "utf" not in (getattr(out, "encoding", "") or "").lower()
        self._signs, self._turning = (PLAIN_SIGNS, PLAIN_TURNING) if plain else (SIGNS, TURNING)
        self._arrow = "->" if plain else "→"
        self._note, self._drawn = "", False

    @property
    def width(self) -> int:
        """Columns of a line."""
        return min(WIDEST, shutil.get_terminal_size((WIDEST + 1, 24)).columns - 1)

    @asynccontextmanager
    async def looking(self, part: str) -> AsyncIterator[None]:
        """Show that a part is looked at while the block runs."""
        self._note = ""
        task = asyncio.create_task(self._turn(part)) if self.live else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
            self._wipe()

    def note(self, text: str) -> None:
        """What to show beside the part that is looked at."""
        self._note = text

    def tell(self, finding: Finding) -> None:
        """Print a row."""
        self.findings.append(finding)
        self._wipe()
        room = max(30, self.width - PART - 3)
        lines = textwrap.wrap(finding.what, room, break_long_words=False, break_on_hyphens=False) or [""]
        part = f"{finding.part:{PART}}" if len(finding.part) < PART else f"{finding.part} "
        self._line(f"{self._painted(self._signs[finding.state], finding.state)} {part}{lines[0]}")
        for line in lines[1:]:
            self._line(" " * (PART + 2) + line)
        for index, line in enumerate(self._advice(finding.fix, room - 2)):
            self._line(" " * (PART + 2) + (self._arrow + " " if not index else " " * (len(self._arrow) + 1)) + line)

    def sum_up(self) -> None:
        """Say how many of each there are."""
        counts = {state: sum(f.state == state for f in self.findings) for state in COLOURS}
        parts = [self._painted(f"{counts[state]} {state}", state) for state in COLOURS if counts[state]]
        self._line("")
        self._line(", ".join(parts))

    def line(self, text: str) -> None:
        """Print a line of its own."""
        self._wipe()
        self._line(text)

    def draw(self, text: str) -> None:
        """Draw over the last drawn line."""
        print(f"\r\x1b[K{text[: self.width]}", end="", file=self._out, flush=True)
        self._drawn = True

    async def _turn(self, part: str) -> None:
        began = time.monotonic()
        for sign in itertools.cycle(self._turning):
            seconds = time.monotonic() - began
            note = self._note or (f"{seconds:.0f} s" if seconds >= 1 else "")
            self.draw(f"{sign} {part:{PART}}{note}")
            await asyncio.sleep(0.1)

    def _advice(self, fix: str, room: int) -> list[str]:
        """Commands and lines of YAML stay whole, each on a line of its own."""
        lines: list[str] = []
        for line in fix.splitlines():
            if line.startswith("  "):
                lines.append(line)
            else:
                lines += textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False)
        return lines

    def _painted(self, text: str, state: State | str) -> str:
        return f"\x1b[{COLOURS[state]}m{text}\x1b[0m" if self._coloured else text

    def _line(self, text: str) -> None:
        print(text.rstrip(), file=self._out, flush=True)

    def _wipe(self) -> None:
        if self._drawn:
            print("\r\x1b[K", end="", file=self._out, flush=True)
            self._drawn = False


@contextmanager
def silenced(teller: Teller) -> Iterator[None]:
    """Keep what libraries write to a terminal's standard error (ALSA does) out of what is drawn there."""
    if not teller.live:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def screen(json: bool) -> Teller:
    """Where a person looks: standard output, or beside ``--json`` standard error."""
    # A copy of its own: what libraries write to standard error is silenced meanwhile.
    return Teller(os.fdopen(os.dup(2), "w", encoding=sys.stderr.encoding) if json else sys.stdout)
