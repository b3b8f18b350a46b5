"""The ladder: ways to draw the face, the best first, and which of them keeps up with the sound.

``render:`` is a ranking. Between one renderer and the next lies, where it can do that, half its rate; below the last
one is a still picture. Whoever cannot keep 25 pictures a second, or fails, hands over within the sentence. The way
up is tried between answers, one step at a time, and less often each time that it fails.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

from avatard.api.errors import AvatardError, ConfigError, NotReady, OutOfMemory, StageFailed
from avatard.api.flow import Pixels, SpeechAudio, VideoFrame
from avatard.api.news import EngineChanged, News
from avatard.api.stages import LipSyncRenderer, Paced
from avatard.talk.drawing import Still, picture_of
from avatard.talk.performance import Performance
from avatard.talk.progress import Progress
from avatard.talk.ranking import Ranking

log = logging.getLogger(__name__)

PATIENCE, LONGEST_PATIENCE = 60.0, 3600.0
"""Seconds until a step up is tried; twice as many each time that it fails soon, but no more than an hour."""
PROVING = 10.0
"""Seconds between two steps up."""
COMFORT = 0.5
"""Share of real time that drawing may take where a better renderer is tried."""
FITS = 0.9
"""Share of real time that drawing may take where it is known beforehand."""


@dataclass(frozen=True, slots=True)
class Rung:
    """How the face is drawn."""

    position: int
    """In the ranking."""
    still: bool = False


class Ladder:
    """Where the place stands; shared by all its answers."""

    def __init__(
        self, ranking: Ranking[LipSyncRenderer], news: News | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin at the best renderer."""
        self._ranking, self._news, self.clock = ranking, news, clock
        self.steps = 0
        """How often it was made lighter. Of two answers that were both too slow for that, one alone steps down."""
        self._half = self._still = False
        self._load: float | None = None
        """Share of real time that drawing took last."""
        self._patience = PATIENCE
        self._rest_until = self._rose = float("-inf")

    @property
    def rung(self) -> Rung:
        """Where it stands; another one needs to be opened."""
        return Rung(self._ranking.position, self._still)

    @property
    def best(self) -> bool:
        """Whether each picture is drawn by the renderer that serves."""
        return not (self._still or self._half)

    @property
    def name(self) -> str:
        """The same in words."""
        return "still" if self._still else f"{self._ranking.name} at half rate" if self._half else self._ranking.name

    async def draw(
        self, speech: AsyncIterator[SpeechAudio], progress: Progress
    ) -> AsyncGenerator[VideoFrame, None]:
        """Yield the frames of one run; all its sound is in them, whatever becomes of the pictures.

        Args:
            speech: must lose nothing when whoever waits for it is cancelled.
            progress: of the answer.

        Raises:
            ConfigError, NotReady, StageFailed, OutOfMemory: no renderer drew anything.
        """
        if progress.hurried:
            self._rise()
        performance = Performance(self, speech, progress)
        try:
            while (frame := await performance.next()) is not None:
                yield frame
        finally:
            performance.close()

    async def renderer(self, shown: Pixels | None) -> LipSyncRenderer:
        """Open what draws here; a still picture is ``shown``, or else the renderer's face at rest.

        Raises:
            ConfigError, NotReady, StageFailed, OutOfMemory: none can be had.
        """
        if self._still:
            if shown is None:
                with suppress(AvatardError):
                    shown = await picture_of(await self._ranking.engine())
            return Still(shown)
        renderer = await self._ranking.engine()
        self._set_rate()
        return renderer

    def keeps_up(self, load: float) -> None:
        """Drawing takes this share of real time."""
        self._load = load

    def too_slow(self, load: float | None) -> bool:
        """Step down, as drawing takes this share of real time (None: it stands still); False at the last step."""
        if self._still:
            return False
        why = "it does not go on" if load is None else f"it takes {load:.1f} times as long as real time allows"
        half = isinstance(self._ranking.serving, Paced) and not self._half
        if half and load is not None and load / 2 <= FITS:
            self._half = True
            self._set_rate()
            self._tell(why)
        elif self._ranking.below is not None:
            self._half = False
            self._ranking.step_down(why, "speed")
        else:
            self._stand_still(why)
        self.steps += 1
        self._be_patient()
        return True

    def failed(self, err: StageFailed | NotReady | OutOfMemory | ConfigError, begun: bool) -> bool:
        """Step down, as the renderer failed; False where none has drawn anything, and none is left."""
        if self._still:
            return False
        if self._ranking.step_down(err):
            self._half = False
        elif begun:
            self._stand_still(str(err))
            self._be_patient()
        else:
            return False
        return True

    @property
    def calm(self) -> bool:
        """Whether a better renderer may be tried beside the one that serves."""
        fit = self.best and self._load is not None and self._load <= COMFORT
        return fit and self.clock() >= self._rest_until and self._ranking.above_for("speed") is not None

    async def better(self) -> LipSyncRenderer:
        """Open the renderer that is tried.

        Raises:
            ConfigError, NotReady, StageFailed, OutOfMemory: it cannot be had.
        """
        renderer = await self._ranking.better("speed")
        if renderer is None:
            raise NotReady("no better renderer is aside any more")
        if isinstance(renderer, Paced):
            renderer.rate = "full"
        return renderer

    def tried(self, load: float | None) -> None:
        """The better renderer takes this share of real time (None: it fails): it serves again, or is left in peace."""
        if load is None or load > FITS or not self._ranking.step_up("it keeps up again", "speed"):
            self._be_patient(True)
            return
        self._load = None
        self._rose = self.clock()
        self._rest_until = self._rose + PROVING

    def _rise(self) -> None:
        """Try one step up, where there is one and things are calm."""
        now = self.clock()
        if now < self._rest_until:
            return
        if self._one_up(self._load):
            self._load = None
            self._rose, self._rest_until = now, now + PROVING

    def _one_up(self, load: float | None) -> bool:
        if self._still:
            self._still = False
            self._tell("it is tried again")
            return True
        if load is None or not self._half or load * 2 > FITS:
            return False
        self._half = False
        self._set_rate()
        self._tell("it keeps up")
        return True

    def _be_patient(self, again: bool = False) -> None:
        now = self.clock()
        again = again or now - self._rose < self._patience
        self._patience = min(LONGEST_PATIENCE, self._patience * 2) if again else PATIENCE
        self._load = None
        self._rest_until = now + self._patience

    def _stand_still(self, why: str) -> None:
        log.warning("render: %s does not serve (%s); the picture stands still", self._ranking.name, why)
        self._still = True
        self._tell(why)

    def _set_rate(self) -> None:
        renderer = self._ranking.serving
        if isinstance(renderer, Paced):
            renderer.rate = "half" if self._half else "full"

    def _tell(self, why: str) -> None:
        log.info("render: %s (%s)", self.name, why)
        if self._news is not None:
            self._news.publish(EngineChanged("render", self.name, why))
