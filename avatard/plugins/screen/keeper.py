"""An mpv that is there: started again whenever it ends."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

from avatard.api.context import PluginContext, Pulse
from avatard.api.errors import NotReady
from avatard.api.news import Problem
from avatard.plugins.screen.player import Player, PlayerGone

LONGEST_PAUSE = 60.0
STEADY = 10.0
"""Seconds after which an mpv that ends has not ended quickly."""
AT_ONCE = 3
"""How many in a row that ended quickly are followed by another at once."""
START_LIMIT = 8.0
"""Seconds that an answer waits for an mpv that is starting."""


class Kept:
    """Keeps one mpv running."""

    def __init__(
        self, context: PluginContext, where: str, command: Callable[[int], Sequence[str]],
        started: Callable[[Player], None], heard: Callable[[dict[str, Any]], None],
    ) -> None:  # fmt: skip
        """Say what to do with it.

        Args:
            context: whose it is.
            where: its name in problems.
            command: the command line for a descriptor; may raise NotReady.
            started: called with each one that answers.
            heard: called with each event.
        """
        self._context, self._where = context, where
        self._command, self._started, self._heard = command, started, heard
        self._player: Player | None = None
        self._changed = asyncio.Event()
        self._trouble = ""
        self._worked = False

    @property
    def player(self) -> Player | None:
        """The one that runs."""
        return self._player if self._player is not None and self._player.alive else None

    async def running(self) -> Player:
        """The one that runs, or the next one.

        Raises:
            NotReady: it cannot be had now.
        """
        try:
            async with asyncio.timeout(START_LIMIT):
                while (player := self.player) is None:
                    if self._trouble:
                        raise NotReady(self._trouble)
                    self._changed.clear()
                    await self._changed.wait()
                return player
        except TimeoutError as late:
            raise NotReady(f"display: screen: mpv did not start within {START_LIMIT:.0f} s") from late

    async def keep(self, pulse: Pulse) -> None:
        """Keep it running; never returns."""
        pulse.beat(math.inf)
        vain = quick = 0
        while True:
            began, self._worked = time.monotonic(), False
            try:
                await self._one()
            except NotReady as err:
                vain = 0 if self._worked else vain + 1
                quick = 0 if time.monotonic() - began > STEADY else quick + 1
                pause = min(LONGEST_PAUSE, 2.0 ** min(vain - 1, 8)) if vain else 0.0 if quick <= AT_ONCE else 1.0
                self._down(str(err), lasting=vain > 0)
                await asyncio.sleep(pause)

    def restart(self) -> None:
        """End the one that runs, so that another one begins."""
        if (player := self.player) is not None:
            player.tell("quit")

    async def _one(self) -> None:
        player = await Player.start(self._command)
        try:
            player.tell("observe_property", 1, "mpv-version")
            async with aclosing(player.events()) as events:
                async for event in events:
                    if not self._worked:
                        self._worked = True
                        self._up(player)
                    self._heard(event)
        finally:
            self._player = None
            await player.close()
        raise PlayerGone(player.why)

    def _up(self, player: Player) -> None:
        if self._trouble:
            self._context.logger.info("%s works again", self._where)
            self._context.news.publish(Problem(self._where, "", over=True))
        self._player, self._trouble = player, ""
        self._started(player)
        self._changed.set()

    def _down(self, why: str, lasting: bool) -> None:
        if not lasting:
            self._context.logger.warning("%s: %s; starting another", self._where, why)
        elif not self._trouble:
            self._context.logger.error("%s: %s; trying again", self._where, why)
            self._context.news.publish(Problem(self._where, why))
            self._trouble = why
        self._changed.set()
