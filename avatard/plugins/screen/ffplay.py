"""ffplay, where mpv is missing: it takes no commands, so each answer has an ffplay of its own."""

from __future__ import annotations

import asyncio
import itertools
import math
import subprocess
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal, cast

from avatard.api.context import PluginContext, Pulse
from avatard.api.errors import AvatardError, NotReady
from avatard.api.flow import EncodedChunk, Samples, VideoFrame
from avatard.plugins.screen import launch
from avatard.plugins.screen.config import DisplayConfig
from avatard.plugins.screen.pipe import Pipe
from avatard.plugins.screen.player import PlayerGone
from avatard.plugins.screen.source import Raw

LOST = (
    "display: screen: without mpv (sudo apt install mpv) ffplay shows the face: the display flickers between an "
    "answer and the face at rest, the volume acts with the next answer only, there is no chime, no touch, no choice "
    "of a monitor or sound device, and picture and words are less exactly in time"
)
AHEAD = 0.6
"""Seconds that it is fed ahead."""
START = 0.3
"""Seconds that ffplay takes to be heard: it does not tell."""
LOOK = 0.02
REST_LOOK = 2.0
"""Seconds between looks at whether the face at rest is still shown."""
DEATHS = 3
TURN = {0: [], 90: ["transpose=1"], 180: ["hflip", "vflip"], 270: ["transpose=2"]}


class FfplayScreen:
    """Fulfils a display with as many ffplays as there are answers, and one for the face at rest."""

    accepts: Literal["frames"] = "frames"
    pictures = True

    def __init__(self, context: PluginContext, config: DisplayConfig, program: str, folder: Path) -> None:
        """Say what is lost."""
        self.shown = 0.0
        self._context, self._config, self._program, self._folder = context, config, program, folder
        self._clock: Callable[[], float] | None = None
        self._volume = 100
        self._rest: subprocess.Popen[bytes] | None = None
        self._busy = False
        self._numbers = itertools.count(1)
        context.logger.warning("%s", LOST)
        context.run("rest", self.rest)

    def follow(self, shown: Callable[[], float] | None) -> None:
        """Be silent beside another display."""
        self._clock = shown

    async def play(self, stream: AsyncIterator[VideoFrame] | AsyncIterator[EncodedChunk]) -> None:
        """Play; return when the last sample was heard, as far as that can be told."""
        self.shown, self._busy, deaths = 0.0, True, 0
        source = Raw(cast("AsyncGenerator[VideoFrame, None]", stream))
        try:
            async with aclosing(cast("AsyncGenerator[Any, None]", stream)):
                while await source.ready():
                    source.begin(None)
                    try:
                        await self._perform(source)
                    except PlayerGone as gone:
                        deaths += 1
                        if deaths > DEATHS:
                            raise
                        self._context.logger.warning("%s; the answer goes on in the next one", gone)
                        source.rewind(self.shown)
        finally:
            self._busy = False

    async def chime(self, sound: Samples) -> None:
        """It has none."""

    def set_volume(self, percent: int) -> None:
        """Set the loudness of the next answer."""
        self._volume = percent

    def close(self) -> None:
        """End the face at rest."""
        self._rested()

    async def rest(self, pulse: Pulse) -> None:
        """Show the face at rest between answers; never returns."""
        pulse.beat(math.inf)
        while True:
            if not self._busy and (self._rest is None or self._rest.poll() is not None):
                self._rested()
                try:
                    film = await self._context.idle_loop()
                    if not self._busy:
                        self._rest = self._start(["-an", "-loop", "0", str(film.path)])
                except AvatardError as err:
                    self._context.logger.debug("no face at rest: %s", err)
            await asyncio.sleep(REST_LOOK)

    async def _perform(self, source: Raw) -> None:
        pipe = Pipe(self._folder / f"answer-{next(self._numbers)}")
        quiet = ["-an"] if self._clock is not None or not self._config.sound else ["-volume", str(self._volume)]
        process = self._start([*quiet, "-autoexit", "-fflags", "nobuffer", "-probesize", "32", "-analyzeduration", "0",
                               "-framedrop", "-f", "matroska", "-i", str(pipe.path)])  # fmt: skip
        try:
            began: float | None = None
            ends = 0.0
            while (piece := await source.next()) is not None:
                began = time.monotonic() + START - piece.pts if began is None else began
                while piece.pts - AHEAD > self._heard(began):
                    await asyncio.sleep(LOOK)
                await pipe.put(piece.data, lambda: process.poll() is None)
                ends = piece.ends
                if self._rest is not None and self._heard(began) > 0:
                    self._rested()
            pipe.close()
            assert began is not None
            while self._heard(began) < ends and process.poll() is None:
                await asyncio.sleep(LOOK)
            self.shown = ends
        finally:
            pipe.close()
            _end(process)

    def _heard(self, began: float) -> float:
        self.shown = max(self.shown, time.monotonic() - began)
        return self.shown

    def _start(self, words: list[str]) -> subprocess.Popen[bytes]:
        if not launch.desktop():
            launch.reachable()
        filters = ",".join(TURN[self._config.rotate])
        shape = [*(["-fs"] if self._config.fullscreen else []), *(["-vf", filters] if filters else [])]
        command = [self._program, "-hide_banner", "-loglevel", "quiet", "-nostats", "-noborder", *shape, *words]
        try:
            return subprocess.Popen(launch.bound(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)  # fmt: skip
        except OSError as err:
            raise NotReady(f"display: screen: {err}") from err

    def _rested(self) -> None:
        if self._rest is not None:
            _end(self._rest)
            self._rest = None


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
