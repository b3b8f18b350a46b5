"""The wake word's test of itself: when somebody asks, and once a day while nothing else goes on."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from avatard.api.errors import AvatardError, NotReady
from avatard.api.news import News, Problem
from avatard.api.stages import WakeDetector
from avatard.runtime.config import PlatformEntry
from avatard.runtime.memo import write_json
from avatard.runtime.voices import voices
from avatard.talk.selftest import Take, Tried, tried

log = logging.getLogger(__name__)

WHERE = "wake_word"
BUSY = 30.0
"""Seconds after which it is looked at again whether the house is quiet."""
DAY = datetime.timedelta(days=1)


class SelfTest:
    """Says the wake phrases to the detector, and tells where they are not heard."""

    def __init__(
        self, wake: WakeDetector, phrases: tuple[str, ...], expected: tuple[str, ...], news: News, memory: Path,
        problems: dict[str, str],
    ) -> None:  # fmt: skip
        """Test.

        Args:
            wake: what is tested.
            phrases: what it listens for.
            expected: those of them that are heard wherever the detector works.
            news: of failures.
            memory: who was heard to say what, for the next time.
            problems: what has been told and is not over: an earlier configuration may have left something there.
        """
        self._wake, self._phrases, self._expected = wake, phrases, expected
        self._news, self._memory, self._problems = news, memory, problems
        self._turn = asyncio.Lock()

    async def test(self) -> dict[str, str]:
        """Test each phrase; return how it went: ``heard``, ``missed`` or ``untested``.

        Raises:
            NotReady, StageFailed: the voices or the detector cannot be had.
        """
        async with self._turn:
            known = self._known()
            async with voices() as speaking:
                results = await tried(self._wake, self._phrases, speaking.say, self._expected, known)
            self._remember(known | {r.phrase: r.take for r in results if r.take is not None})
            self._tell(results)
            return {result.phrase: result.outcome for result in results}

    async def daily(self, at: datetime.time, quiet: Callable[[], bool]) -> None:
        """Test every day at this time, local, or as soon after it as the house is quiet; for ever."""
        while True:
            await asyncio.sleep(until(at, datetime.datetime.now()))
            while not quiet():
                await asyncio.sleep(BUSY)
            try:
                results = await self.test()
            except AvatardError as err:
                log.warning("wake word: not tested today: %s", err)
            else:
                log.info("wake word: tested: %s", ", ".join(f"{k} {v}" for k, v in results.items()) or "nothing")

    def _tell(self, results: list[Tried]) -> None:
        missed = [result.phrase for result in results if result.outcome == "missed"]
        if missed:
            what = (
                f"{', '.join(missed)}: not heard when it was tested; is its model damaged, or its threshold too high? "
                "Try again: avatard listen --test"
            )
            if self._problems.get(WHERE) != what:
                log.warning("wake word: %s", what)
            self._news.publish(Problem(WHERE, what))
        elif WHERE in self._problems:
            self._news.publish(Problem(WHERE, "", over=True))

    def _known(self) -> dict[str, Take]:
        try:
            data: dict[str, Any] = json.loads(self._memory.read_bytes())
            return {str(phrase): (str(voice), int(rate)) for phrase, (voice, rate) in data.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as err:
            log.warning("%s: not used (%s)", self._memory, err)
            return {}

    def _remember(self, known: dict[str, Take]) -> None:
        try:
            write_json(self._memory, known)
        except OSError as err:
            log.warning("%s: not written (%s)", self._memory, err)


def phrases_of(entries: Iterable[PlatformEntry], usual: bool = False) -> tuple[str, ...]:
    """The names of the wake phrases; ``usual``: only where the model's own threshold counts."""
    names: list[str] = []
    for entry in entries:
        for phrase in getattr(entry.options, "phrases", ()):
            name = phrase if isinstance(phrase, str) else getattr(phrase, "name", None) or ""
            if name and not (usual and getattr(phrase, "threshold", None)):
                names.append(name)
    return tuple(names)


def until(at: datetime.time, now: datetime.datetime) -> float:
    """Seconds until it is that time again; never none."""
    then = datetime.datetime.combine(now.date(), at)
    return (then if then > now else then + DAY).timestamp() - now.timestamp()


async def absent() -> dict[str, str]:
    """What stands for the test in a house that does not listen.

    Raises:
        NotReady: always.
    """
    raise NotReady("there is no wake word to test: nothing listens here")
