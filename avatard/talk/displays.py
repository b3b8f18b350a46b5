"""Displays: a branch for each, one encoder for each container; the first is the place's clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import cast

from avatard.api.echo import Audible
from avatard.api.errors import AvatardError, NotReady
from avatard.api.flow import FPS, SPEECH_RATE, EncodedChunk, Samples, VideoFrame
from avatard.api.stages import DisplaySink, Follower, Patient, Screen, VideoEncoder
from avatard.talk.branch import Branch
from avatard.talk.guests import Guests
from avatard.talk.lag import Lag, Lags, later, led_in
from avatard.talk.played import Played
from avatard.talk.ranking import Ranking
from avatard.talk.reels import Filming, Reel

log = logging.getLogger(__name__)

LAG_LIMIT = 2.0
"""Seconds that the other displays may play on after the first has ended."""


class Displays:
    """All displays of a place as one."""

    def __init__(
        self, sinks: Sequence[tuple[str, DisplaySink]], encoder: Ranking[VideoEncoder], guests: Guests | None = None,
        lags: Sequence[Lag] = (),
    ) -> None:  # fmt: skip
        """Take (name, display) pairs, of which the first is the clock, who joins them for a while, and their lags."""
        self._own = list(sinks)
        self._lags = Lags([sink for _, sink in sinks], lags)
        self._lead = 0
        """Silent frames before this answer"""
        self._guests = guests or Guests()
        self._clock: DisplaySink | None = None
        self.played = self._told()
        """What sounds here, where a display tells; None where none does."""
        self._encoder = encoder
        self.dropped = 0
        """Frames that a display beside the first was too late for, since the start."""

    def _told(self) -> Played | None:
        """Have the first display tell that can: two loudspeakers' sounds cannot be laid into one."""
        for _, sink in self._own:
            if isinstance(sink, Audible):
                played = Played(self._lags.of(sink).delay)
                sink.tell(played.add)
                return played
        return None

    @property
    def pictures(self) -> bool:
        """Whether anybody sees the face."""
        return any(sink.pictures for _, sink in self._sinks)

    @property
    def encoder(self) -> Ranking[VideoEncoder]:
        """Who makes streams."""
        return self._encoder

    @property
    def hurried(self) -> bool:
        """Whether frames are needed in real time."""
        return bool(self._sinks) and not (isinstance(first := self._sinks[0][1], Patient) and first.patient)

    @property
    def _sinks(self) -> list[tuple[str, DisplaySink]]:
        return self._own + self._guests.displays

    @property
    def shown(self) -> float:
        """How far the answer was really heard, seconds."""
        return max(0.0, self._position - self._lead / FPS)

    @property
    def _position(self) -> float:
        """The same with the lead-in."""
        return max(0.0, self._clock.shown - self._lags.of(self._clock).delay) if self._clock is not None else 0.0

    @property
    def lead_in(self) -> int:
        """Silent frames that an answer would begin with."""
        return self._lags.lead_in

    @property
    def late(self) -> int:
        """Frames of this answer that came after they were due, where the first display counts them."""
        return int(getattr(self._clock, "late", 0))

    @property
    def screen(self) -> bool | None:
        """Whether any screen is on; None where none can be switched."""
        screens = [screen.screen for screen in self._screens]
        return any(screens) if screens else None

    @property
    def _screens(self) -> list[Screen]:
        return [sink for _, sink in self._own if isinstance(sink, Screen)] + self._guests.screens

    async def set_screen(self, on: bool) -> None:
        """Switch every screen."""
        for screen in self._screens:
            await screen.set_screen(on)

    def set_volume(self, percent: int) -> None:
        """Set the loudness of all of them, 0–100."""
        self._guests.volume = percent
        for _, sink in self._sinks:
            sink.set_volume(percent)

    async def chime(self, sound: Samples) -> None:
        """Play a short sound on all of them; one that cannot is left out."""
        self._lags.sounds(len(sound) / SPEECH_RATE)
        for name, sink in self._sinks:
            try:
                await sink.chime(sound)
            except NotReady as err:
                log.warning("display %s: no chime: %s", name, err)

    @property
    def encoded(self) -> bool:
        """Whether any display takes an encoded stream."""
        return any(sink.accepts != "frames" for _, sink in self._sinks)

    def can_show(self, reel: Reel) -> bool:
        """Whether the reel holds all that is seen: each display with pictures takes a stream that is in it."""
        seen = {sink.accepts for _, sink in self._sinks if sink.pictures}
        encoded = {sink.accepts for _, sink in self._sinks if sink.accepts != "frames"}
        return bool(seen) and (seen | encoded) <= set(reel.streams)

    async def play(
        self, frames: AsyncIterator[VideoFrame], first: Callable[[], None], film: Reel | Filming | None = None
    ) -> None:
        """Play the answer on every display; return when the first one's last sample was heard.

        Args:
            frames: the answer.
            first: called when a frame is handed over that is no lead-in.
            film: a reel whose streams are played again, or who films those that are made.
        """
        self._lead = 0 if film is not None else self.lead_in
        try:
            await self._perform(frames, first, film)
        finally:
            self._lags.sounds()

    async def _perform(
        self, frames: AsyncIterator[VideoFrame], first: Callable[[], None], film: Reel | Filming | None
    ) -> None:
        sinks = self._sinks
        branches = [Branch() for _ in sinks]

        async def hand_out() -> None:
            async with aclosing(led_in(frames, self._lead)) as led:
                async for frame in led:
                    if round(frame.pts * FPS) >= self._lead:
                        first()
                    for branch in branches:
                        await branch.put(frame)
            for branch in branches:
                await branch.end()

        async with asyncio.TaskGroup() as tasks:
            for index, ((_, sink), branch) in enumerate(zip(sinks, branches, strict=True)):
                self._tell_clock(index, sink, branch)
            tasks.create_task(hand_out())
            playing = [
                tasks.create_task(self._show(name, sink, branch, film))
                for (name, sink), branch in zip(sinks, branches, strict=True)
            ]
            await self._until_heard(playing, sinks, branches)
            if playing:
                _, late = await asyncio.wait(playing, timeout=LAG_LIMIT)
                for task in late:
                    task.cancel()

    def _tell_clock(self, index: int, sink: DisplaySink, branch: Branch) -> None:
        if index == 0:
            self._clock = sink
            branch.lead()
        if isinstance(sink, Follower):
            sink.follow(None if index == 0 else partial(self._ahead, self._lags.of(sink).delay))

    def _ahead(self, delay: float) -> float:
        """Where a display that follows must be, so that it is not late; seconds."""
        position = self._position
        return position + delay if position > 0 else 0.0

    async def _until_heard(
        self, playing: list[asyncio.Task[AvatardError | None]], sinks: Sequence[tuple[str, DisplaySink]],
        branches: Sequence[Branch],
    ) -> None:  # fmt: skip
        """Return when the clock has come to its end; where it cannot be had, the next display is the clock."""
        for index, task in enumerate(playing):
            failure = await task
            if failure is None:
                return
            name, sink = sinks[index]
            if not isinstance(failure, NotReady) or sink.shown > 0 or index + 1 == len(playing):
                raise failure
            log.warning("display %s: %s; %s is the clock", name, failure, sinks[index + 1][0])
            branches[index + 1].lead()
            self._clock = following = sinks[index + 1][1]
            if isinstance(following, Follower):
                following.follow(None)

    async def _show(
        self, name: str, sink: DisplaySink, branch: Branch, film: Reel | Filming | None
    ) -> AvatardError | None:
        """Play to the end; return why it could not be."""
        frames = later(branch.frames(), self._lags.of(sink).frames)
        try:
            if sink.accepts == "frames":
                await sink.play(frames)
            else:
                await sink.play(self._encoded(sink, frames, branch, film))
        except AvatardError as err:
            if sink is not self._clock:
                log.warning("display %s: %s", name, err)
            return err
        finally:
            branch.leave()
            if branch.dropped:
                self.dropped += branch.dropped
                log.warning("display %s was late: %d frames dropped", name, branch.dropped)
        return None

    async def _encoded(
        self, sink: DisplaySink, frames: AsyncGenerator[VideoFrame, None], branch: Branch, film: Reel | Filming | None
    ) -> AsyncIterator[EncodedChunk]:
        assert sink.accepts != "frames"
        if isinstance(film, Reel):
            made = film.chunks(sink.accepts, frames)
        else:
            encoder = await self._encoder.engine()
            made = cast("AsyncGenerator[EncodedChunk, None]", encoder.encode(frames, sink.accepts))
            if film is not None:
                made = film.chunks(sink.accepts, made)
        async with aclosing(made) as chunks:
            async for chunk in chunks:
                yield chunk
        if isinstance(film, Filming) and branch.dropped:
            film.spoiled(sink.accepts)
