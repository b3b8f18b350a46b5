"""The face at rest, which the player repeats by itself."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from avatard.api.context import Model, PluginContext, Pulse
from avatard.api.errors import AvatardError
from avatard.api.flow import IdleLoop, Pixels
from avatard.api.news import EngineChanged, SettingChanged
from avatard.plugins.screen.player import Player

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
OPTIONS = "loop-file=inf,aid=no,demuxer=lavf,vf=format=colormatrix=bt.601"
"""ffmpeg makes a film's colours by BT.601 and does not write so into it; of a large one mpv would believe BT.709."""


class Film:
    """Follows which face is shown."""

    def __init__(self, context: PluginContext, reader: Model, changed: Callable[[], None]) -> None:
        """Call ``changed`` when there is another film."""
        self.loop: IdleLoop | None = None
        self._context, self._reader, self._changed = context, reader, changed

    async def follow(self, pulse: Pulse) -> None:
        """Ask for the film, and again whenever the face may be another; never returns."""
        pulse.beat(math.inf)
        with self._context.news.subscribe() as news:
            await self._ask()
            async for event in news:
                face = isinstance(event, SettingChanged) and event.name == "face"
                if face or (isinstance(event, EngineChanged) and event.stage == "render"):
                    await self._ask()

    def show(self, player: Player, how: str = "replace") -> None:
        """Have it shown, at once or after what is shown; without a film the display is dark."""
        if self.loop is not None:
            player.tell("loadfile", str(self.loop.path), how, OPTIONS)
        elif how == "replace":
            player.tell("stop")

    async def position(self, player: Player) -> float | None:
        """Where in the film the player is; None where it shows something else."""
        if self.loop is None or await player.ask("get_property", "path") != str(self.loop.path):
            return None
        at = await player.ask("get_property", "time-pos")
        return float(at) if isinstance(at, float | int) else None

    async def picture(self, at: float | None) -> Pixels | None:
        """The picture at this position; None where it cannot be had."""
        if self.loop is None or at is None:
            return None
        try:
            picture: Pixels | None = await self._reader.call("picture", str(self.loop.path), at)
        except AvatardError as err:
            self._context.logger.debug("no fade: %s", err)
            return None
        return picture

    async def _ask(self) -> None:
        pause, told = FIRST_PAUSE, False
        while True:
            try:
                loop = await self._context.idle_loop()
            except AvatardError as err:
                if pause > 8 and not told:
                    self._context.logger.warning("the display is dark between answers: %s", err)
                    told = True
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
                continue
            if self.loop is None or loop.path != self.loop.path:
                self.loop = loop
                self._changed()
                await self.picture(0.0)  # so that the reader is loaded
            return
