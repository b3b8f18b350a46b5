"""One answer in the player: sent a little ahead, followed by mpv's own clock, and back to the face at rest."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from avatard.api.errors import StageFailed
from avatard.api.flow import Pixels
from avatard.plugins.screen.film import Film
from avatard.plugins.screen.pipe import Pipe
from avatard.plugins.screen.player import Player, PlayerGone
from avatard.plugins.screen.source import Piece, Source

AHEAD = 0.4
"""Seconds that the player may have beyond what is heard."""
LOOK = 0.02
"""Seconds between looks at the player's clock."""
EARLY = 0.02
"""Seconds that a picture is sent before another display's clock comes to it: what the player takes to draw it."""
STALE = 0.1
"""Seconds after which a picture is left out, where another display is the clock."""
TAIL = 0.02
"""Seconds before the end of the last sample at which it counts as heard: about one look."""
STALLED = 5.0
"""Seconds that the sound may stand still, while there is some to be heard, before mpv is taken for stuck."""
DRY = 0.05
"""Seconds left to be heard at which mpv has run dry: it holds the last frame back until the next one comes."""
LATENCY = "demuxer-readahead-secs=0"
"""Or else mpv, once it has run dry, waits for a whole second of what comes."""
FOLLOWING = ["untimed=yes", "video-latency-hacks=yes"]
"""Each picture is seen as it comes."""
_numbers = itertools.count(1)


class Answer:
    """Goes through as many players as it takes."""

    def __init__(
        self, film: Film, source: Source, folder: Path, clock: Callable[[], float] | None, sound: bool
    ) -> None:
        """Play the source; by another display's ``clock`` silently."""
        self.shown = 0.0
        self.late = 0
        self.performing = False
        self.silent = False
        """Whether there was no sound device."""
        self._film, self._source, self._folder, self._clock = film, source, folder, clock
        self._sound = sound and clock is None
        self._entry = self._opening = -1
        self._seen, self._seen_at = 0.0, 0.0
        self._loaded: set[int] = set()
        self._ended: dict[int, str] = {}

    async def perform(self, player: Player) -> None:
        """Play what was not played yet; return when the last sample was heard.

        Raises:
            PlayerGone: mpv has ended; after ``rewind`` another one can go on.
            StageFailed: it cannot play it.
        """
        if not await self._source.ready():
            return
        self.performing, self._entry, self._seen_at = True, -1, time.monotonic()
        pipe = Pipe(self._folder / f"answer-{next(_numbers)}")
        done = False
        try:
            self._source.begin(await self._begin(player, pipe))
            await self._feed(player, pipe)
            done = True
        finally:
            self.performing = False
            pipe.close()
            if not done and player.alive:
                self._film.show(player)

    def rewind(self) -> None:
        """Have the next player begin where this one ended."""
        self._source.rewind(self.shown)

    def heard(self, event: dict[str, Any]) -> None:
        """Take an event of the player's."""
        name, entry = event["event"], int(event.get("playlist_entry_id", -1))
        if name == "start-file":
            self._opening = entry
        elif name == "file-loaded":
            self._loaded.add(self._opening)
        elif name == "end-file":
            self._ended[entry] = str(event.get("file_error")) if event.get("reason") == "error" else ""

    @property
    def _over(self) -> bool:
        """Whether the player has played it to its end.

        Raises:
            StageFailed: it could not.
        """
        if failure := self._ended.get(self._entry):
            raise StageFailed("display", "screen", f"mpv: {failure}")
        return self._entry in self._ended

    async def _begin(self, player: Player, pipe: Pipe) -> Pixels | None:
        """Have the player open the pipe, and the film after it; return the picture that is seen meanwhile."""
        at = await self._film.position(player)
        options = [self._source.demuxer, LATENCY]
        if not self._sound:
            options.append("aid=no")
        if self._clock is not None:
            options += FOLLOWING
        given = await player.ask("loadfile", str(pipe.path), "replace", ",".join(options))
        if not isinstance(given, dict):
            raise StageFailed("display", "screen", "mpv refuses the stream")
        self._entry = given["playlist_entry_id"]
        self._film.show(player, "append")
        return await self._film.picture(at)

    async def _feed(self, player: Player, pipe: Pipe) -> None:
        ends = 0.0
        while (piece := await self._source.next()) is not None:
            ends = piece.ends
            if self._clock is not None:
                if not await self._due(piece, self._clock) and not piece.needed:
                    continue
            else:
                while piece.pts - self.shown > AHEAD:
                    await self._wait(player)
                self.late += self.shown > 0 and piece.pts - self.shown < DRY
            await pipe.put(piece.data, lambda: self._takes(player))
            self._seen_at = time.monotonic()
            if self._clock is not None:
                self.shown = piece.ends
        for piece in self._source.tail(self._film.loop.first if self._film.loop is not None else None):
            await pipe.put(piece.data, lambda: self._takes(player))
        while self._entry not in self._loaded and not self._over:
            await self._wait(player)
        pipe.close()
        while self.shown < ends - TAIL and not self._over:
            await self._wait(player)
        self.shown = max(self.shown, ends)

    def _takes(self, player: Player) -> bool:
        """Whether the player still reads."""
        return player.alive and not self._over

    async def _due(self, piece: Piece, clock: Callable[[], float]) -> bool:
        """Wait for another display to come to it; whether it is still worth showing."""
        while clock() < piece.pts - EARLY:
            await asyncio.sleep(LOOK / 2)
        return clock() < piece.pts + STALE

    async def look(self, player: Player) -> None:
        """Ask mpv how far it has come."""
        if self._clock is None and self._entry in self._loaded and self._entry not in self._ended:
            at = await player.ask("get_property", "audio-pts" if self._sound else "time-pos")
            if isinstance(at, float | int) and self._entry not in self._ended:
                self.shown = max(self.shown, float(at))
            if self._sound and isinstance(at, float | int):
                self.silent = await player.ask("get_property", "current-ao") == "null"

    async def _wait(self, player: Player) -> None:
        """Wait a little for the sound to go on."""
        now = time.monotonic()
        if self.shown != self._seen:
            self._seen, self._seen_at = self.shown, now
        if now - self._seen_at > STALLED:
            self._seen_at = now
            player.kill()
            raise PlayerGone(f"the sound has stood still for {STALLED:.0f} s")
        if not player.alive:
            raise PlayerGone(player.why)
        await asyncio.sleep(LOOK / 2)
