"""One answer's frames, from whichever renderer the ladder stands at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from avatard.api.errors import ConfigError, NotReady, OutOfMemory, StageFailed
from avatard.api.flow import Pixels, SpeechAudio, VideoFrame
from avatard.api.stages import LipSyncRenderer
from avatard.talk.drawing import Drawing, Late
from avatard.talk.progress import Progress
from avatard.talk.sound import Sound
from avatard.talk.tempo import RESERVE, Tempo
from avatard.talk.trial import Trial, Tries

FIRST_LIMIT = 20.0
"""Seconds that an open renderer may take for an answer's first frame: its model may have to be loaded."""
LAG = 3
"""Frames by which a picture may be too late, and is shown all the same: better than a mouth that stands still."""
STUCK = 20
"""Frames whose sound went on without a picture, after which the renderer is given up."""
RESUMPTION = 0.2
"""Seconds that a renderer may take for its next picture once it has waited for sound: everything stood still."""
MEND = 3
"""Pictures in which a mouth that had stopped goes over into one that moves."""


class Steps(Tries, Protocol):
    """The ladder, as an answer sees it."""

    @property
    def rung(self) -> object:
        """Where it stands."""

    @property
    def steps(self) -> int:
        """How often it was made lighter."""

    async def renderer(self, shown: Pixels | None) -> LipSyncRenderer:
        """Open what draws there."""

    def keeps_up(self, load: float) -> None:
        """Drawing takes this share of real time."""

    def too_slow(self, load: float | None) -> bool:
        """Step down."""

    def failed(self, err: StageFailed | NotReady | OutOfMemory | ConfigError, begun: bool) -> bool:
        """Step down."""


class Performance:
    """One run's frames in order; each has its sound, and its picture where that comes in time."""

    def __init__(self, ladder: Steps, speech: AsyncIterator[SpeechAudio], progress: Progress) -> None:
        """Begin with the renderer that serves."""
        self._ladder, self._sound, self._progress = ladder, Sound(speech), progress
        self._overdue: Pixels | None = None
        self._count = self._missed = 0
        self._paused = progress.count > 0 and progress.lead(ladder.clock()) < 0
        progress.whole = True
        self._trial: Trial | None = None
        self._drawing = self._begun()

    async def next(self) -> VideoFrame | None:
        """Return the next frame; None after the last."""
        while True:
            if self._sound.complete and self._count >= self._sound.frames:
                return None
            if self._ladder.rung != self._rung:
                self._begin_again()
            try:
                got = await self._drawing.next(self._patience())
            except Late:
                if (late := await self._without_picture()) is not None:
                    return late
                continue
            except (StageFailed, NotReady, OutOfMemory, ConfigError) as err:
                self._step_down(err)
                continue
            if got is None:
                if self._sound.complete and self._count >= self._sound.frames:
                    return None
                self._step_down(StageFailed("render", "ladder", "it ended before the sound did"))
                continue
            frame, seconds = got
            self._look(seconds)
            if self._drawing.index > self._count:
                return self._framed(frame.pixels)
            if self._drawing.due < self._drawing.index and self._count - self._drawing.index < LAG:
                self._overdue = frame.pixels

    def close(self) -> None:
        """Stop drawing."""
        self._drawing.close()
        self._end_trial()

    def _begin_again(self) -> None:
        """Let the renderer that serves go on from here."""
        self._drawing.close()
        self._end_trial()
        self._progress.blend.begin()
        self._progress.whole = False
        self._drawing = self._begun()

    def _begun(self) -> Drawing:
        ladder = self._ladder
        self._rung, self._missed, self._overdue = ladder.rung, 0, None
        self._measure()

        async def opened() -> LipSyncRenderer:
            renderer = await ladder.renderer(self._progress.blend.first)
            self._rung = ladder.rung  # the ranking may have gone on to the next one that opens
            return renderer

        return Drawing(self._progress.tasks, opened, self._sound, lambda: self._count, ladder.clock)

    def _patience(self) -> float | None:
        """How long the next frame may be waited for."""
        if not self._progress.hurried:
            return None
        if not self._progress.count:
            return FIRST_LIMIT
        return RESUMPTION if self._paused else max(0.0, self._progress.lead(self._ladder.clock()))

    def _measure(self) -> None:
        self._tempo, self._steps = Tempo(), self._ladder.steps

    def _look(self, seconds: float) -> None:
        """Judge the renderer, a frame of which took so many seconds."""
        if self._ladder.steps != self._steps:
            self._measure()  # another answer found it too slow: what was measured before says nothing
        self._tempo.drew(seconds)
        load, lead = self._tempo.load, self._progress.lead(self._ladder.clock())
        if not self._progress.hurried or load is None:
            return
        if self._tempo.too_slow(lead):
            if self._trial is not None:
                self._trial.give_up()  # there is no room for both
                self._end_trial()
            elif self._ladder.rung != self._rung or not self._ladder.too_slow(max(load, self._tempo.lately)):
                return
            self._measure()
            return
        self._ladder.keeps_up(load)
        if self._trial is None and lead > RESERVE and self._ladder.calm:
            self._trial = Trial(self._ladder, self._progress.tasks, self._sound, lambda: self._count)
        elif self._trial is not None and self._trial.over:
            self._end_trial()

    def _end_trial(self) -> None:
        if self._trial is not None:
            self._trial.close()
            self._trial = None

    async def _without_picture(self) -> VideoFrame | None:
        """The frame that is due, where it is the renderer that keeps it waiting."""
        if self._drawing.starved:
            self._paused = True
            return None
        begun = self._progress.count > 0
        if not begun and not self._drawing.open:
            return None
        if not begun:
            self._step_down(StageFailed("render", "ladder", f"no picture within {FIRST_LIMIT:.0f} s"))
            return None
        if not await self._sound.here(self._count):
            return None
        if self._overdue is not None:
            overdue, self._overdue = self._overdue, None
            self._progress.whole = False
            return self._framed(overdue)
        self._missed += self._drawing.open
        if self._missed >= STUCK and self._ladder.rung == self._rung and self._ladder.too_slow(None):
            self._missed = 0
        return self._framed(None)

    def _step_down(self, err: StageFailed | NotReady | OutOfMemory | ConfigError) -> None:
        # Another answer may have met with the same failure, and stepped down already.
        if self._ladder.rung == self._rung and not self._ladder.failed(err, begun=self._progress.count > 0):
            raise err
        self._begin_again()

    def _framed(self, picture: Pixels | None) -> VideoFrame:
        """Put the sound and the time to a picture; None: the last one is seen on."""
        progress, now = self._progress, self._ladder.clock()
        if not progress.count or self._paused or progress.lead(now) < 0:
            progress.restart(now)
            self._paused = False
        if picture is not None:
            if self._missed >= MEND:
                progress.blend.begin(MEND)
            self._missed, self._overdue = 0, None
        block = self._sound.block(self._count)
        assert block is not None
        self._count += 1
        self._sound.forget(self._count)
        return progress.frame(picture, *block)
