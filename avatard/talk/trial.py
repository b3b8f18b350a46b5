"""A better renderer at work beside the one that serves, unseen: whether it keeps up is known before it is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from avatard.api.errors import ConfigError, NotReady, OutOfMemory, StageFailed
from avatard.api.stages import LipSyncRenderer
from avatard.talk.drawing import Drawing
from avatard.talk.sound import Sound
from avatard.talk.tempo import Tempo

PROOF = 12
"""Frames after which a renderer is known."""


class Tries(Protocol):
    """The ladder, as a trial sees it."""

    @property
    def calm(self) -> bool:
        """Whether one may begin."""

    def clock(self) -> float:
        """Monotonic seconds."""

    async def better(self) -> LipSyncRenderer:
        """Open the renderer that is tried."""

    def tried(self, load: float | None) -> None:
        """It takes this share of real time; None: it fails."""


class Trial:
    """Draws what is being said, for nobody; its model is loaded meanwhile, and nobody waits for that."""

    def __init__(self, ladder: Tries, tasks: asyncio.TaskGroup, sound: Sound, due: Callable[[], int]) -> None:
        """Begin."""
        self._ladder, self._tempo, self._count, self._told = ladder, Tempo(), 0, False
        self._drawing = Drawing(tasks, ladder.better, sound, due, ladder.clock)

    @property
    def over(self) -> bool:
        """Look at what was drawn; True once the ladder was told."""
        try:
            while (taken := self._drawing.taken()) is not None:
                self._count += 1
                self._tempo.drew(taken[1])
        except (StageFailed, NotReady, OutOfMemory, ConfigError):
            self._tell(None)
            return True
        if self._count < PROOF or (load := self._tempo.load) is None:
            return False
        self._tell(max(load, self._tempo.lately))
        return True

    def close(self) -> None:
        """Stop drawing; what is too slow so far is told as such."""
        self._drawing.close()
        load = self._tempo.load
        if not self._told and load is not None and load > 1:
            self._tell(load)

    def give_up(self) -> None:
        """It must not go on."""
        if not self._told:
            self._tell(None)

    def _tell(self, load: float | None) -> None:
        self._told = True
        self._ladder.tried(load)
