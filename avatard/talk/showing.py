"""An answer's frames: what is drawn, and what was kept, as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from avatard.api.flow import VideoFrame
from avatard.talk.phrases import Recorder
from avatard.talk.progress import Progress
from avatard.talk.runs import Known, Piece, Run, Runs
from avatard.talk.streams import Drain
from avatard.talk.voice import Voice


class Showing:
    """Draws an answer run by run, and keeps the sentences that are to be kept."""

    def __init__(self, voice: Voice) -> None:
        """Draw with these."""
        self.whole = True
        """Whether all of it so far was drawn as well as can be, each picture in time."""
        self._voice = voice

    async def frames(self, pieces: Drain[Piece], tasks: asyncio.TaskGroup) -> AsyncGenerator[VideoFrame, None]:
        """The frames of what is drawn, and of what was kept, as one."""
        voice = self._voice
        progress = Progress(tasks, voice.displays.hurried)

        def lead() -> float:
            return progress.lead(voice.ladder.clock()) if voice.displays.pictures else 0.0

        seam = False
        async for run in Runs(pieces, lead if progress.hurried else None):
            if seam or isinstance(run, Known):
                progress.blend.begin()
            seam = isinstance(run, Known)
            frames = self._again(run, progress) if isinstance(run, Known) else self._kept(run, progress)
            async with aclosing(frames):
                async for frame in frames:
                    yield frame

    async def _again(self, known: Known, progress: Progress) -> AsyncGenerator[VideoFrame, None]:
        async with aclosing(known.phrase.frames(known.sentence)) as frames:
            async for frame in frames:
                yield progress.frame(frame.pixels, frame.audio, known.sentence)

    async def _kept(self, run: Run, progress: Progress) -> AsyncGenerator[VideoFrame, None]:
        """Draw with whichever renderer keeps up, or, where nobody looks, only cut; keep what is to be kept."""
        voice, recorder = self._voice, Recorder(self._voice.phrases.longest)
        pictures, sentence = voice.displays.pictures, None
        frames = voice.ladder.draw(run, progress) if pictures else self._cut(run, progress)
        async with aclosing(frames):
            async for frame in frames:
                sentence = frame.sentence
                if run.key is not None:
                    recorder.take(frame)
                yield frame
        # Whoever has taken over meanwhile said or showed it otherwise.
        self.whole &= run.whole and progress.whole and (voice.ladder.best or not pictures)
        if self.whole and run.key is not None and sentence is not None and run.key == voice.key(sentence):
            phrase = recorder.phrase(pictures)
            if phrase is not None:
                voice.phrases.keep(run.key, phrase)

    async def _cut(self, run: Run, progress: Progress) -> AsyncGenerator[VideoFrame, None]:
        async with aclosing(cast("AsyncGenerator[VideoFrame, None]", self._voice.unseen.render(run))) as frames:
            async for frame in frames:
                assert frame.sentence is not None
                yield progress.frame(None, frame.audio, frame.sentence)
