"""Keeping: the last few spoken turns stay on the disk, with their sound, so that they can be run again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import logging
import os
import re
import wave
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from avatard.api.flow import LISTEN_RATE, AudioFrame
from avatard.api.news import News, Problem, TurnReport
from avatard.runtime.config import Configuration
from avatard.runtime.foundation import Foundation
from avatard.runtime.memo import write_json
from avatard.talk.attention import MEMORY
from avatard.talk.exchanging import Keep

log = logging.getLogger(__name__)

WHERE = "keep"
WAITING = 4
"""Turns that wait for a slow disk; each is half a megabyte."""
CLOSE_LIMIT = 5.0
"""Seconds in which the last turns are written when the house closes."""
OURS = re.compile(r"(\d{6,})\.(wav|json|part)")


@dataclass(frozen=True, slots=True)
class Turn:
    """A spoken turn to be kept."""

    report: TurnReport
    frames: list[AudioFrame]
    ended: datetime.datetime


class Turns:
    """The folder of kept turns, ``000001.wav`` and ``000001.json`` and so on; every call may block."""

    def __init__(self, folder: Path, keep: int, longest: float) -> None:
        """Keep so many turns of at most ``longest`` seconds each."""
        self.folder, self._keep, self._longest = folder, keep, longest

    def put(self, turn: Turn) -> None:
        """Add a turn.

        Raises:
            OSError: it is not kept; those from before are.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        # A number, not the time: a board without a clock starts in the past.
        path = self.folder / f"{max(self._files(), default=0) + 1:06}"
        sound = np.concatenate([frame.samples for frame in turn.frames])[: round(self._longest * LISTEN_RATE)]
        begins = turn.frames[0].at
        entry = dataclasses.asdict(turn.report)
        del entry["turn"]
        entry["at"] = {what: round(at - begins, 3) for what, at in turn.report.at.items()}
        entry["ended"] = turn.ended.isoformat(timespec="seconds")
        try:
            _write_wav(path.with_suffix(".wav"), sound.tobytes())
            write_json(path.with_suffix(".json"), entry)
        except OSError:
            for suffix in (".wav", ".json", ".part"):
                with contextlib.suppress(OSError):
                    path.with_suffix(suffix).unlink()
            raise

    def tidy(self) -> None:
        """Remove what is too old, and what a power cut left unfinished; the folder too, where none are kept.

        Raises:
            OSError: something cannot be removed.
        """
        files = self._files()
        whole = [number for number in sorted(files) if {p.suffix for p in files[number]} >= {".wav", ".json"}]
        stay = set(whole[-self._keep :] if self._keep else ())
        for number, paths in files.items():
            for path in paths:
                if number not in stay or path.suffix == ".part":
                    path.unlink(missing_ok=True)
        if not self._keep:
            with contextlib.suppress(OSError):  # there is none, or something of somebody else's in it
                self.folder.rmdir()

    def _files(self) -> dict[int, list[Path]]:
        """Our files by number; others are not touched."""
        files: dict[int, list[Path]] = {}
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return {}
        for name in names:
            if ours := OURS.fullmatch(name):
                files.setdefault(int(ours[1]), []).append(self.folder / name)
        return files


class Keeper:
    """Has turns written on a thread, one after the other, and tells where that fails."""

    def __init__(self, turns: Turns, news: News, ailing: bool) -> None:
        """Keep turns; ``ailing``: a problem with that has been told and is not over."""
        self._turns, self._news, self._ailing = turns, news, ailing
        self._waiting: deque[Turn] = deque(maxlen=WAITING)
        self._called = asyncio.Event()
        self._closing = False

    def keep(self, report: TurnReport, frames: list[AudioFrame]) -> None:
        """Have it written soon."""
        if len(self._waiting) == WAITING:
            self._tell("the disk is too slow: a turn was not kept")
        self._waiting.append(Turn(report, frames, datetime.datetime.now().astimezone()))
        self._called.set()

    async def run(self) -> None:
        """Write what comes, until it is closed."""
        while self._waiting or not self._closing:
            self._called.clear()
            while self._waiting:
                if await self._done(partial(self._turns.put, self._waiting.popleft()), "a turn was not kept"):
                    await self.tidy()
            if not self._closing:
                await self._called.wait()

    async def tidy(self) -> None:
        """Remove what is not to be kept any more."""
        await self._done(self._turns.tidy, "earlier turns could not be removed")

    async def close(self, writing: asyncio.Task[None]) -> None:
        """Write what still waits, for a while."""
        self._closing = True
        self._called.set()
        await asyncio.wait({writing}, timeout=CLOSE_LIMIT)
        writing.cancel()

    async def _done(self, do: Callable[[], None], otherwise: str) -> bool:
        try:
            await asyncio.to_thread(do)
        except OSError as err:
            self._tell(f"{err.strerror or err}: {otherwise}")
            return False
        if self._ailing:
            self._ailing = False
            self._news.publish(Problem(WHERE, "", over=True))
        return True

    def _tell(self, what: str) -> None:
        folder = self._turns.folder
        what = (
            f"{folder}: {what}; make room on its disk and let the daemon write there, or set listening: {{keep: 0}} "
            "and remove the folder"
        )
        if not self._ailing:
            log.warning("%s", what)
        self._ailing = True
        self._news.publish(Problem(WHERE, what))


@asynccontextmanager
async def keeping(configuration: Configuration, foundation: Foundation) -> AsyncIterator[Keep | None]:
    """Keep turns as the configuration says while the block runs; where it says none, forget those from before."""
    core = configuration.core.listening
    # A request's limit counts from its wake word's end.
    turns = Turns(foundation.paths.state / "turns", core.keep, MEMORY + core.max_seconds)
    keeper = Keeper(turns, foundation.feed, WHERE in foundation.door.problems)
    await keeper.tidy()
    if not core.keep:
        yield None
        return
    writing = foundation.tasks.create_task(keeper.run(), name="keep")
    try:
        yield keeper.keep
    finally:
        await keeper.close(writing)


def _write_wav(path: Path, sound: bytes) -> None:
    """Write 16 kHz mono int16, whole or not at all, for this user alone."""
    beside = path.with_suffix(".part")
    with open(beside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        with wave.open(file, "wb") as form:
            form.setparams((1, 2, LISTEN_RATE, 0, "NONE", ""))
            form.writeframes(sound)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
