"""The attached display through mpv."""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Literal, cast

from avatard.api.context import PluginContext, Pulse
from avatard.api.flow import EncodedChunk, Samples, VideoFrame
from avatard.api.news import Touched
from avatard.api.stages import DisplaySink
from avatard.plugins.screen import launch
from avatard.plugins.screen.answer import LOOK, Answer
from avatard.plugins.screen.bell import Bell, loudness
from avatard.plugins.screen.config import DisplayConfig
from avatard.plugins.screen.engine import FilmReader
from avatard.plugins.screen.ffplay import FfplayScreen
from avatard.plugins.screen.film import Film
from avatard.plugins.screen.keeper import Kept
from avatard.plugins.screen.monitor import Monitor
from avatard.plugins.screen.player import Player, PlayerGone
from avatard.plugins.screen.source import Encoded, Raw

DEATHS = 3
"""How many players one answer may outlive."""
TOUCHES = 1.0
"""Seconds between two touches that are told."""
READER_MB = 12


class AttachedScreen:
    """Shows the film of the face at rest, and answers between."""

    pictures = True

    def __init__(self, context: PluginContext, config: DisplayConfig, program: str, folder: Path) -> None:
        """Nothing is started yet."""
        self.accepts: Literal["frames", "fmp4"] = "fmp4" if config.stream == "h264" else "frames"
        self._context, self._config, self._program, self._folder = context, config, program, folder
        self._kept = Kept(context, "display.screen", self._command, self._started, self._heard)
        self._film = Film(context, context.model(FilmReader, READER_MB), self._another_film)
        self._bell = Bell(context, config, program, folder) if config.sound and config.chime else None
        self._monitor = Monitor(context, config.monitor)
        self._answer: Answer | None = None
        self._playing = asyncio.Event()
        self._clock: Callable[[], float] | None = None
        self._volume = 100
        self._touched = -TOUCHES
        self._pointer: tuple[Any, Any] | None = None
        self._silent = False

    def open(self) -> None:
        """Start what runs beside."""
        self._context.run("mpv", self._kept.keep)
        self._context.run("film", self._film.follow)
        self._context.run("clock", self._look)
        self._context.run("monitor", lambda pulse: self._monitor.watch(pulse, self._plugged_in))
        if self._bell is not None:
            self._bell.open()

    @property
    def shown(self) -> float:
        """Seconds of the answer that were heard."""
        return self._answer.shown if self._answer is not None else 0.0

    @property
    def late(self) -> int:
        """Frames of this answer that came after they were due."""
        return self._answer.late if self._answer is not None else 0

    @property
    def player(self) -> Player | None:
        """The mpv that runs."""
        return self._kept.player

    def follow(self, shown: Callable[[], float] | None) -> None:
        """Show the pictures by another display's clock, silently."""
        self._clock = shown

    async def play(self, stream: AsyncIterator[VideoFrame] | AsyncIterator[EncodedChunk]) -> None:
        """Play; return when the last sample was heard. When cancelled, the face is at rest at once."""
        if self.accepts == "frames":
            frames = cast("AsyncGenerator[VideoFrame, None]", stream)
            answer = Answer(self._film, Raw(frames), self._folder, self._clock, self._config.sound)
        else:
            chunks = cast("AsyncGenerator[EncodedChunk, None]", stream)
            answer = Answer(self._film, Encoded(chunks), self._folder, self._clock, self._config.sound)
        self._answer = answer
        self._playing.set()
        try:
            await self._through(answer, stream)
        finally:
            self._playing.clear()

    async def _through(self, answer: Answer, stream: AsyncIterator[Any]) -> None:
        deaths = 0
        async with aclosing(cast("AsyncGenerator[Any, None]", stream)):
            while True:
                player = await self._kept.running()
                try:
                    await answer.perform(player)
                except PlayerGone as gone:
                    deaths += 1
                    if deaths > DEATHS:
                        raise
                    self._context.logger.warning("%s; the answer goes on in the next one", gone)
                    answer.rewind()
                    continue
                self._tell_of_sound(answer)
                return

    async def chime(self, sound: Samples) -> None:
        """Play a short sound beside what is heard."""
        if self._bell is not None:
            self._bell.ring(sound)

    def set_volume(self, percent: int) -> None:
        """Set the loudness."""
        self._volume = percent
        if (player := self.player) is not None:
            player.tell("set_property", "volume", loudness(percent))
        if self._bell is not None:
            self._bell.set_volume(percent)

    def _command(self, descriptor: int) -> list[str]:
        if not launch.desktop():
            launch.reachable()
        return launch.mpv(self._program, self._config, descriptor)

    def _started(self, player: Player) -> None:
        self._pointer = None
        player.tell("set_property", "volume", loudness(self._volume))
        player.tell("keybind", "MBTN_LEFT", "script-message touched")
        player.tell("keybind", "CLOSE_WIN", "ignore")  # which ends it even where nothing is bound
        player.tell("observe_property", 2, "mouse-pos")
        self._film.show(player)

    def _another_film(self) -> None:
        player = self.player
        if player is None:
            return
        if self._answer is not None and self._answer.performing:
            player.tell("playlist-clear")
            self._film.show(player, "append")
        else:
            self._film.show(player)

    def _heard(self, event: dict[str, Any]) -> None:
        if self._answer is not None:
            self._answer.heard(event)
        if self._touches(event) and time.monotonic() - self._touched > TOUCHES:
            self._touched = time.monotonic()
            self._context.news.publish(Touched("screen"))

    def _touches(self, event: dict[str, Any]) -> bool:
        """Whether somebody pressed a button or touched the glass, or moved the pointer to another place."""
        if event["event"] == "client-message":
            return event.get("args") == ["touched"]
        place = event.get("data")
        if event.get("name") != "mouse-pos" or not isinstance(place, dict):
            return False
        before, self._pointer = self._pointer, (place.get("x"), place.get("y"))
        return before is not None and before != self._pointer

    async def _look(self, pulse: Pulse) -> None:
        """Follow mpv's clock while there is an answer; never returns."""
        pulse.beat(math.inf)
        while True:
            await self._playing.wait()
            if (player := self.player) is not None and self._answer is not None:
                try:
                    await self._answer.look(player)
                except PlayerGone as gone:
                    self._context.logger.debug("%s", gone)  # the answer notices too
            await asyncio.sleep(LOOK)

    def _plugged_in(self) -> None:
        # On a desktop the window is still there; without one, only a fresh start sets the monitor's mode.
        if not launch.desktop() and not (self._answer is not None and self._answer.performing):
            self._kept.restart()

    def _tell_of_sound(self, answer: Answer) -> None:
        if answer.silent != self._silent:
            self._silent = answer.silent
            if self._silent:
                device = self._config.device or "the default one"
                self._context.logger.warning("no sound device could be opened: %s", device)
            else:
                self._context.logger.info("the sound device works again")


@asynccontextmanager
async def async_setup(context: PluginContext, config: DisplayConfig) -> AsyncIterator[DisplaySink]:
    """Find a player; the display itself may come and go."""
    program = launch.player(config)
    folder = Path(tempfile.mkdtemp(prefix="avatard-screen-"))
    try:
        if Path(program).name == "ffplay":
            fallback = FfplayScreen(context, config, program, folder)
            try:
                yield fallback
            finally:
                fallback.close()
        else:
            screen = AttachedScreen(context, config, program, folder)
            screen.open()
            yield screen
    finally:
        shutil.rmtree(folder, ignore_errors=True)
