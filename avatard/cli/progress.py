"""How far long work is: a bar on a terminal; of a download, now and then a line elsewhere."""

from __future__ import annotations

import shutil
import sys
import time

MB = 1_000_000
REDRAW, LINE = 0.1, 10.0
"""Seconds between two drawings of the bar, and between two lines."""


class Bar:
    """A progress bar on a terminal, with the time that is left; nothing elsewhere."""

    def __init__(self) -> None:
        """Nothing is drawn yet."""
        self._shown = False
        self._began = time.monotonic()

    def show(self, done: int, count: int) -> None:
        """Draw how far it is, where it takes long."""
        if sys.stderr.isatty() and count > 2:
            filled = 40 * done // count
            rest = left((time.monotonic() - self._began) / done * (count - done)) if done else ""
            print(f"\r[{'#' * filled:40}] {100 * done // count:3} %  {rest:14}", end="", file=sys.stderr, flush=True)
            self._shown = True

    def end(self) -> None:
        """Leave the line."""
        if self._shown:
            print(file=sys.stderr)


class Progress:
    """Bytes, speed and the time that is left, on standard error."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.moved = False
        """Whether anything came."""
        self._file = ""
        self._begin = self._drawn = 0.0
        self._first = 0
        self._open = False

    def note(self, text: str) -> None:
        """A line of its own."""
        self.end()
        print(text, file=sys.stderr, flush=True)

    def progress(self, file: str, done: int, total: int | None) -> None:
        """Bytes of a file."""
        self.moved = True
        at = time.monotonic()
        if file != self._file:
            self.end()
            self._file, self._begin, self._first = file, at, done
            self._drawn = at if not sys.stderr.isatty() else 0.0
        if at - self._drawn < (REDRAW if sys.stderr.isatty() else LINE) and done != total:
            return
        self._drawn = at
        text = figures(file, done, total, (done - self._first) / max(0.001, at - self._begin))
        if sys.stderr.isatty():
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{text[:width]:{width}}", end="", file=sys.stderr, flush=True)
            self._open = True
        else:
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the bar's line."""
        if self._open:
            print(file=sys.stderr)
            self._open = False


def figures(file: str, done: int, total: int | None, speed: float) -> str:
    """One line; ``speed`` in bytes a second."""
    if total is None:
        return f"{file}  {done / MB:.1f} MB  {speed / MB:.1f} MB/s"
    filled = 20 * done // total
    rest = left((total - done) / speed) if speed > 0 else ""
    return (f"[{'#' * filled:20}] {100 * done // total:3} %  {done / MB:.1f}/{total / MB:.1f} MB  "
            f"{speed / MB:.1f} MB/s  {rest}  {file}")  # fmt: skip


def left(seconds: float) -> str:
    """How long it still takes."""
    return f"{round(seconds) // 60}:{round(seconds) % 60:02} left"
