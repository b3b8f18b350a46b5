"""A place: a microphone and the displays that answer it. One turn at a time; a person goes first."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from avatard.api.context import Pulse
from avatard.api.errors import AvatardError, Refused, StageFailed, first_cause
from avatard.api.flow import Exchange, ReplyToken, SessionView, Transcript, WakeDetected
from avatard.api.news import News, Problem, State, StateChanged, Transcribed, TurnFinished, TurnReport
from avatard.api.stages import Responder
from avatard.talk.displays import Displays
from avatard.talk.listening import Ears, Heard
from avatard.talk.requests import Request
from avatard.talk.sessions import Sessions
from avatard.talk.sounds import ring_chime, wake_chime
from avatard.talk.streams import Hearing
from avatard.talk.timeline import Timeline
from avatard.talk.turn import Answer, Voice, tokens_of

log = logging.getLogger(__name__)

CANCEL_LIMIT = 5.0
"""Seconds that a cancelled turn may take to end."""
TURN_LIMIT = 120.0
"""Seconds without a change or a frame after which a turn is stuck; each stage has a shorter limit of its own."""
RINGS, RING_PAUSE = 20, 2.0
"""How often a timer rings, and seconds between."""

_inside: contextvars.ContextVar[int] = contextvars.ContextVar("turn", default=0)


@dataclass(frozen=True, slots=True)
class Manners:
    """How the place behaves; from the core's settings."""

    language: str = "en"
    wake_chime: bool = True
    ring_chime: bool = True
    max_queue: int = 16
    apology: str = "Sorry, I did not understand that."
    failure: str = "Sorry, something went wrong."


class Place:
    """Owns the turn in progress, the queue of announcements, volume, and what was really said."""

    def __init__(
        self, ears: Ears | None, responders: list[tuple[str, Responder]], voice: Voice, sessions: Sessions,
        news: News, manners: Manners, start: Callable[..., asyncio.Task[None]], pulse: Pulse,
    ) -> None:  # fmt: skip
        """Answer with these engines; ``start(coroutine)`` runs a turn as a task, whose frames beat the pulse."""
        self.pulse = pulse
        self.state: State = "idle"
        self.volume = 100
        self.current: Request | None = None
        self._ears, self._responders, self._voice = ears, responders, voice
        self.sessions, self._news, self._manners, self._start = sessions, news, manners, start
        self._task: asyncio.Task[None] | None = None
        self._queue: list[Request] = []
        self._switch = asyncio.Lock()
        self._resting = asyncio.Event()
        self._resting.set()
        self._free = asyncio.Event()
        self._free.set()
        self._ailing = False

    @property
    def displays(self) -> Displays:
        """Where it is seen and heard."""
        return self._voice.displays

    @property
    def queued(self) -> int:
        """Announcements that wait."""
        return len(self._queue)

    async def wake(self, detected: WakeDetected | None, hearing: Hearing) -> None:
        """A person speaks: end what is going on and hear the request."""
        async with self._switch:
            await self._end_turn()
            self._begin(Request("hear", "microphone", wake=detected, hearing=hearing))

    async def rest(self) -> None:
        """Return when nothing is thought or said."""
        await self._resting.wait()

    async def finished(self) -> None:
        """Return when no turn is in progress and none waits."""
        while self._task is not None:
            await self._free.wait()

    def submit(self, request: Request) -> None:
        """Queue an announcement or a written question.

        Raises:
            Refused: the queue is full.
        """
        if len(self._queue) >= self._manners.max_queue:
            raise Refused(f"{len(self._queue)} announcements wait already (sessions: max_queue)")
        self._queue.append(request)
        self._queue.sort(key=lambda r: (-r.priority, r.turn))
        self._next()

    async def interrupt(self) -> None:
        """End the turn in progress, unless it is the one that asks."""
        async with self._switch:
            if self.current is not None and self.current.turn != _inside.get():
                await self._end_turn()
        self._next()

    async def stop(self) -> None:
        """End the turn in progress and drop what waits; the senders are told."""
        dropped, self._queue = self._queue, []
        for request in dropped:
            request.end(TurnReport(request.turn, request.source, interrupted=True, error="stopped before it began"))
        await self.interrupt()

    def set_volume(self, percent: int) -> None:
        """Set the loudness, 0–100."""
        self.volume = percent
        self.displays.set_volume(percent)

    async def close(self) -> None:
        """End everything."""
        await self.stop()
        self._recovered()

    def _next(self) -> None:
        if self._task is None and self._queue and not self._switch.locked():
            self._begin(self._queue.pop(0))

    def _begin(self, request: Request) -> None:
        self.current = request
        self._free.clear()
        self._task = self._start(self._run(request), name=f"turn {request.turn} ({request.source})")

    async def _end_turn(self) -> None:
        task, request = self._task, self.current
        if task is None or request is None:
            return
        task.cancel()
        _, stuck = await asyncio.wait({task}, timeout=CANCEL_LIMIT)
        if stuck:
            log.error("turn %d did not end within %.0f s of its cancel", request.turn, CANCEL_LIMIT)
        if self._task is task:  # cancelled before its first step: its own clean-up never ran
            self._leave()
            request.end(TurnReport(request.turn, request.source, interrupted=True))

    def _leave(self) -> None:
        self._task = self.current = None
        self._free.set()

    def _set(self, state: State) -> None:
        self.pulse.beat(math.inf if state == "idle" else TURN_LIMIT)
        if state != self.state:
            self.state = state
            self._news.publish(StateChanged(state))
        if state in ("idle", "listening"):
            self._resting.set()
        else:
            self._resting.clear()

    async def _run(self, request: Request) -> None:
        _inside.set(request.turn)
        turn = Exchanging(self, request)
        try:
            await turn.run()
        except asyncio.CancelledError:
            turn.interrupted = True
            raise
        except Exception as failure:  # one turn is lost, never the daemon
            err = first_cause(failure)
            if _cancelled():
                log.warning("turn %d: as it was ended: %s", request.turn, err)
                turn.interrupted = True
                raise asyncio.CancelledError from None
            await self._apologise(turn, err)
        else:
            self._recovered()
        finally:
            if self._task is asyncio.current_task():  # or it was stuck, and another has taken its place
                self._leave()
                self._set("idle")
            turn.report_to(self._news)
            self._next()

    def _recovered(self) -> None:
        if self._ailing:
            self._ailing = False
            self._news.publish(Problem("turn", "", over=True))

    async def _apologise(self, turn: Exchanging, err: BaseException) -> None:
        known = isinstance(err, AvatardError)
        log.error("turn %d: %s", turn.request.turn, err, exc_info=None if known else err)
        turn.error = str(err) or type(err).__name__
        self._set("error")
        self._ailing = True
        self._news.publish(Problem("turn", turn.error))
        # A voice whose process died is started again for this.
        if isinstance(err, StageFailed) and err.stage in ("render", "display"):
            return
        try:
            apology = Answer(
                turn.request.turn, self._voice, self._news, Timeline(), self._manners.language, lambda: None
            )
            await apology.give(tokens_of(self._manners.failure), lambda: self._set("responding"))
        except Exception as failure:  # as above
            again = first_cause(failure)
            if _cancelled():
                turn.interrupted = True
                raise asyncio.CancelledError from None
            trace = None if isinstance(again, AvatardError) else again
            log.error("turn %d: nor could it apologise: %s", turn.request.turn, again, exc_info=trace)


def _cancelled() -> bool:
    """Whether this task was told to end: an error on the way out goes before the cancel itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Exchanging:
    """One turn while it runs: what was heard, what was answered, and its report."""

    def __init__(self, place: Place, request: Request) -> None:
        """Begin now."""
        self.request = request
        self.interrupted = False
        self.error = ""
        self._place = place
        self._timeline = Timeline()
        self._heard = request.text if request.kind == "ask" else ""
        self._answer: Answer | None = None
        self._speech_end: float | None = None
        self._silent = False
        self._count, self._late = 0, 0

    async def run(self) -> None:
        """Go through the turn."""
        kind = self.request.kind
        if kind == "hear":
            heard = await self._hear()
            self._silent = heard.transcript is None
            if heard.transcript is not None:
                await self._reply(heard.transcript)
        elif kind == "ask":
            await self._reply(Transcript(self.request.text, self.request.language))
        elif kind == "say":
            await self._say(tokens_of(self.request.text))
        else:
            await self._ring()

    async def _hear(self) -> Heard:
        place, request = self._place, self.request
        assert request.hearing is not None and place._ears is not None
        place._set("listening")
        sound = wake_chime() if place._manners.wake_chime else None
        if sound is not None:
            await place.displays.chime(sound)
        begins = request.wake.at if request.wake else None
        heard = await place._ears.hear(
            request.hearing, begins, place._manners.language, len(sound) / 48_000 if sound is not None else 0.0
        )
        if heard.transcript is not None:
            place._set("processing")
            self._timeline = Timeline(heard.speech_end_clock, "speech_end")
            self._timeline.mark("transcript")
            self._speech_end, self._heard = heard.speech_end, heard.transcript.text
            place._news.publish(Transcribed(self._heard))
        return heard

    async def _reply(self, heard: Transcript) -> None:
        place = self._place
        place._set("processing")
        async with place.sessions.using(self.request.session) as session:
            tokens = await self._understood(heard, session.view(heard.language)) if heard.text else None
            try:
                await self._say(tokens if tokens is not None else tokens_of(place._manners.apology))
            finally:
                if self._answer is not None and heard.text:
                    session.remember(Exchange(heard.text, self._answer.said))

    async def _understood(self, heard: Transcript, session: SessionView) -> AsyncIterator[ReplyToken] | None:
        for _, responder in self._place._responders:
            tokens = await responder.reply(heard, session)
            if tokens is not None:
                return tokens
        return None

    async def _say(self, tokens: AsyncIterator[ReplyToken]) -> None:
        place, request = self._place, self.request
        place._set("processing")
        usual = place.volume
        if request.volume is not None:
            place.displays.set_volume(request.volume)
        self._answer = Answer(
            request.turn, place._voice, place._news, self._timeline, request.language,
            lambda: place.pulse.beat(TURN_LIMIT), request.kind in ("say", "ring"),
        )  # fmt: skip
        try:
            await self._answer.give(tokens, lambda: place._set("responding"))
        finally:
            if request.volume is not None:
                place.displays.set_volume(usual)

    async def _ring(self) -> None:
        place = self._place
        for ring in range(RINGS):
            if place._manners.ring_chime:
                place._set("responding")
                await place.displays.chime(ring_chime())
                await asyncio.sleep(1.0)
            if ring % 5 == 0:
                await self._say(tokens_of(self.request.text))
            await asyncio.sleep(RING_PAUSE)

    def report_to(self, news: News) -> None:
        """Publish the turn's report and tell its sender; a wake after which nobody spoke is no turn."""
        request, answer = self.request, self._answer
        if self.interrupted and answer is None and request.kind == "hear":
            self._silent = True
        wake = {"phrase": request.wake.phrase, "score": round(request.wake.score, 3)} if request.wake else None
        at = {"wake": round(request.wake.at, 3)} if request.wake else {}
        if self._speech_end is not None:
            at["speech_end"] = round(self._speech_end, 3)
        report = TurnReport(
            request.turn, request.source, self._heard, answer.said if answer else "", wake, at, self._timeline.ms(),
            {"count": answer.spoken.count if answer else 0, "late": self._place.displays.late, "fps": 25},
            self.interrupted, self.error,
        )  # fmt: skip
        request.end(report)
        if not self._silent:
            news.publish(TurnFinished(report))



