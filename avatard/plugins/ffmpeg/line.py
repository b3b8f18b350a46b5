"""Which encoder serves, and why the others do not."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from pathlib import Path

from avatard.api.context import Pulse
from avatard.api.errors import AvatardError, NotReady
from avatard.api.news import EngineChanged, News
from avatard.plugins.ffmpeg import probing
from avatard.plugins.ffmpeg.coders import CODERS, SOFTWARE, Coder, command, nodes, out_of_reach
from avatard.plugins.ffmpeg.config import EncoderConfig
from avatard.plugins.ffmpeg.remembering import Remembered

log = logging.getLogger("avatard.encoder.ffmpeg")

PATIENCE = 0.7
"""Seconds that an answer waits for the proof; then libx264 encodes it, and the proven one the next."""
RECOVERY = 5.0
"""Seconds after an encoder died in service until it is examined again: a driver may need to begin anew."""
DEATHS = 3
"""In service; then it is left out until the daemon starts again."""


class Line:
    """The encoders in their order; the first that is proved to work serves."""

    def __init__(
        self, program: str, config: EncoderConfig, remembered: Remembered | None = None, news: News | None = None,
        dev: Path = Path("/dev"),
    ) -> None:
        """Nothing is chosen yet.

        Args:
            program: which ffmpeg.
            config: the user's wishes.
            remembered: where an earlier choice is kept.
            news: who is told when another serves.
            dev: where device nodes lie.
        """
        self.program, self.config, self.dev = program, config, dev
        self._remembered, self._news = remembered, news
        self._serving: Coder | None = None
        self._told = ""
        self._died: Counter[str] = Counter()
        self._looking = False
        self._settled, self._doubt = asyncio.Event(), asyncio.Event()
        self._choosing = asyncio.Lock()

    @property
    def known_as(self) -> str:
        """The encoder that serves, as ffmpeg calls it; empty while none is chosen."""
        return self._serving.codec if self._serving else ""

    async def best(self) -> Coder:
        """The encoder that serves; libx264 where the others are still being examined.

        Raises:
            NotReady, StageFailed: ffmpeg cannot be started, or the configured encoder cannot be had.
        """
        if self._serving is None and self._looking:
            try:
                await asyncio.wait_for(self._settled.wait(), PATIENCE)
            except TimeoutError:
                return SOFTWARE
        if self._serving is None:
            await self.settle()
        assert self._serving is not None
        return self._serving

    async def settle(self) -> None:
        """Choose, unless one serves already.

        Raises:
            NotReady, StageFailed: ffmpeg cannot be started, or the configured encoder cannot be had.
        """
        async with self._choosing:
            if self._serving is None:
                self._serve(*await self._choice())

    async def look(self, pulse: Pulse) -> None:
        """Choose in the background, and again some time after an encoder died in service."""
        self._looking = True
        try:
            await self.settle()
        except AvatardError as err:
            log.warning("%s", err)  # whoever needs it asks again, and is told
        finally:
            self._looking = False
            self._settled.set()
        while True:
            pulse.beat(math.inf)
            await self._doubt.wait()
            self._doubt.clear()
            await asyncio.sleep(RECOVERY)
            async with self._choosing:
                try:
                    self._serve(*await self._choice())
                except AvatardError as err:
                    log.warning("%s; libx264 goes on", err)

    def died(self, coder: Coder, why: str) -> Coder:
        """An encoder does not serve any longer; the one that goes on within the answer.

        It is libx264, which needs no proof: there is no time for one. The whole line is examined again afterwards.
        """
        self._died[coder.codec] += 1
        if self._remembered is not None:
            self._remembered.forget()
        if self._serving is not SOFTWARE:
            self._serve(SOFTWARE, why)
            self._doubt.set()
        return SOFTWARE

    def _serve(self, coder: Coder, why: str) -> None:
        self._serving = coder
        if coder.codec != self._told:
            self._told = coder.codec
            if self._news is not None:
                self._news.publish(EngineChanged("encoder", coder.codec, why))

    async def _choice(self) -> tuple[Coder, str]:
        wanted = self.config.encoder
        if wanted == "auto":
            return await self._first()
        coder = next(coder for coder in CODERS if coder.name == wanted)
        if coder is SOFTWARE:
            return coder, "it is configured"
        if self._died[coder.codec] >= DEATHS:
            return SOFTWARE, f"{coder.codec} died {DEATHS} times in service"
        if why := (await self._examined((coder,)))[coder]:
            reach = out_of_reach(coder, self.dev)
            raise NotReady(f"encoder {coder.codec}: {reach + '; ' if reach else ''}{why}")
        return coder, "it is configured"

    async def _first(self) -> tuple[Coder, str]:
        """The first of the line that works; what has no device here is not even tried."""
        refused = {coder: out_of_reach(coder, self.dev) for coder in CODERS}
        for coder in CODERS:
            if self._died[coder.codec] >= DEATHS:
                refused[coder] = f"died {DEATHS} times in service"
        there = tuple(coder for coder in CODERS if not refused[coder] and coder is not SOFTWARE)
        refused |= await self._examined(there, first=True) if there else {}
        serving = next((coder for coder in there if refused[coder] == ""), SOFTWARE)
        for coder in CODERS[: CODERS.index(serving)]:
            urgent = "no permission" in refused[coder]
            log.log(logging.WARNING if urgent else logging.INFO, "%s is left out: %s", coder.codec, refused[coder])
        return serving, "the first that works here"

    async def _examined(self, coders: tuple[Coder, ...], first: bool = False) -> dict[Coder, str]:
        """Why each cannot serve, empty where it can; with ``first`` those behind the first that can are let be."""
        commands = {
            coder: command(self.program, coder, self.config, "fmp4", probing.SIZE, dev=self.dev) for coder in coders
        }
        key = [await probing.version(self.program)]
        key += sorted({str(node) for coder in CODERS for node in nodes(coder, self.dev)})
        key += [" ".join(words) for words in commands.values()]
        kept = self._remembered.get(key) if self._remembered is not None else None
        if kept is not None and all(isinstance(kept.get(coder.codec), str) for coder in coders):
            return {coder: kept[coder.codec] for coder in coders}
        built = await probing.listed(self.program)
        found: dict[Coder, str] = {}
        for coder, words in commands.items():
            if first and "" in found.values():
                found[coder] = "another comes before it"
            elif coder.codec not in built:
                found[coder] = f"{self.program} was built without it"
            else:
                found[coder] = await probing.examine(self.program, words)
        if self._remembered is not None and not any(why.startswith(probing.LATE) for why in found.values()):
            self._remembered.put(key, {coder.codec: why for coder, why in found.items()})
        return found
