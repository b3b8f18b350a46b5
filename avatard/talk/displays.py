"""Displays: a branch for each, one encoder for each container; the first is the place's clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from avatard.api.errors import AvatardError, NotReady
from avatard.api.flow import FPS, EncodedChunk, Samples, Sentence, VideoFrame
from avatard.api.stages import DisplaySink, Screen, VideoEncoder
from avatard.talk.ranking import Ranking

log = logging.getLogger(__name__)

BRANCH_FRAMES = 50
"""Frames that a display beside the first may lag behind (2 s) before its oldest go."""
LAG_LIMIT = 2.0
"""Seconds that the other displays may play on after the first has ended."""

_END: Any = object()


class Branch:
    """One display's frames. The first display's branch holds up the answer; the others' drop and count."""

    def __init__(self, size: int, waits: bool) -> None:
        """Hold ``size`` frames; when full, wait or drop the oldest."""
        self.dropped = 0
        self._waits = waits
        self._frames: asyncio.Queue[Any] = asyncio.Queue(size)

    async def put(self, frame: Any) -> None:
        """Add a frame."""
        if not self._waits and self._frames.full():
            self._frames.get_nowait()
            self.dropped += 1
        await self._frames.put(frame)

    async def frames(self) -> AsyncIterator[Any]:
        """Yield the frames to their end."""
        while (frame := await self._frames.get()) is not _END:
            yield frame

    async def end(self) -> None:
        """No more frames will come."""
        await self.put(_END)


class Displays:
    """All displays of a place as one."""

    def __init__(self, sinks: Sequence[tuple[str, DisplaySink]], encoder: Ranking[VideoEncoder]) -> None:
        """Take (name, display) pairs; the first is the clock."""
        self._sinks = list(sinks)
        self._encoder = encoder
        self.dropped = 0
        """Frames that a display beside the first was too late for, since the start."""

    @property
    def pictures(self) -> bool:
        """Whether anybody sees the face."""
        return any(sink.pictures for _, sink in self._sinks)

    @property
    def shown(self) -> float:
        """How far the answer was really heard, seconds."""
        return self._sinks[0][1].shown if self._sinks else 0.0

    @property
    def late(self) -> int:
        """Frames of this answer that came after they were due, where the first display counts them."""
        return int(getattr(self._sinks[0][1], "late", 0)) if self._sinks else 0

    @property
    def screen(self) -> bool | None:
        """Whether any screen is on; None where none can be switched."""
        screens = [sink.screen for _, sink in self._sinks if isinstance(sink, Screen)]
        return any(screens) if screens else None

    async def set_screen(self, on: bool) -> None:
        """Switch every screen."""
        for _, sink in self._sinks:
            if isinstance(sink, Screen):
                await sink.set_screen(on)

    def set_volume(self, percent: int) -> None:
        """Set the loudness of all of them, 0–100."""
        for _, sink in self._sinks:
            sink.set_volume(percent)

    async def chime(self, sound: Samples) -> None:
        """Play a short sound on all of them; one that cannot is left out."""
        for name, sink in self._sinks:
            try:
                await sink.chime(sound)
            except NotReady as err:
                log.warning("display %s: no chime: %s", name, err)

    async def play(self, frames: AsyncIterator[VideoFrame], first: Callable[[], None]) -> None:
        """Play the answer on every display; return when the first one's last sample was heard.

        Args:
            frames: the answer.
            first: called when the first frame is handed over.
        """
        branches = [Branch(2 if index == 0 else BRANCH_FRAMES, index == 0) for index in range(len(self._sinks))]

        async def hand_out() -> None:
            async for frame in frames:
                first()
                for branch in branches:
                    await branch.put(frame)
            for branch in branches:
                await branch.end()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hand_out())
            playing = [
                tasks.create_task(self._show(name, sink, branch, lead=index == 0))
                for index, ((name, sink), branch) in enumerate(zip(self._sinks, branches, strict=True))
            ]
            await playing[0]
            _, late = await asyncio.wait(playing, timeout=LAG_LIMIT)
            for task in late:
                task.cancel()

    async def _show(self, name: str, sink: DisplaySink, branch: Branch, lead: bool) -> None:
        try:
            if sink.accepts == "frames":
                await sink.play(branch.frames())
            else:
                await sink.play(self._encoded(sink, branch))
        except AvatardError as err:
            if lead:
                raise
            log.warning("display %s: %s", name, err)
        if branch.dropped:
            self.dropped += branch.dropped
            log.warning("display %s was late: %d frames dropped", name, branch.dropped)

    async def _encoded(self, sink: DisplaySink, branch: Branch) -> AsyncIterator[EncodedChunk]:
        assert sink.accepts != "frames"
        encoder = await self._encoder.engine()
        async with aclosing(encoder.encode(branch.frames(), sink.accepts)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                yield chunk


class Spoken:
    """What was really said: sentences and where they lie in the answer."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self.count = 0
        self._spans: dict[int, tuple[Sentence, float, float]] = {}

    async def through(self, frames: AsyncIterator[VideoFrame]) -> AsyncIterator[VideoFrame]:
        """Pass the frames on, noting which sentence each belongs to."""
        async for frame in frames:
            self.count += 1
            if frame.sentence is not None:
                end = frame.pts + 1 / FPS
                begin = self._spans.get(frame.sentence.index, (None, frame.pts, end))[1]
                self._spans[frame.sentence.index] = (frame.sentence, begin, end)
            yield frame

    def sentences(self, shown: float, complete: bool) -> list[Sentence]:
        """The sentences that were heard to their end (all of them where the answer is ``complete``)."""
        return [sentence for sentence, _, end in self._spans.values() if complete or end <= shown + 1e-6]

    def text(self, shown: float, complete: bool) -> str:
        """What was heard; of a sentence that was cut off, the words that were heard."""
        words: list[str] = []
        for sentence, begin, end in self._spans.values():
            share = 1.0 if complete else min(1.0, max(0.0, (shown - begin) / max(end - begin, 1e-6)))
            parts = sentence.text.split()
            words += parts[: int(len(parts) * share + 1e-6)]
        return " ".join(words)
