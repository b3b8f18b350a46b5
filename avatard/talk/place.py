"""A place: a microphone and the displays that answer it. One turn at a time; a person goes first."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import Callable

from avatard.api.context import Pulse
from avatard.api.errors import AvatardError, StageFailed, first_cause
from avatard.api.flow import WakeDetected
from avatard.api.news import Problem, State, StateChanged
from avatard.talk.displays import Displays
from avatard.talk.exchanging import Exchanging, Means
from avatard.talk.requests import Request
from avatard.talk.sessions import ROOM, Sessions
from avatard.talk.streams import Hearing, ending
from avatard.talk.timeline import Timeline
from avatard.talk.turn import Answer, tokens_of
from avatard.talk.waiting import DROPPED, Waiting, unheard

log = logging.getLogger(__name__)

CANCEL_LIMIT = 5.0
"""Seconds that a cancelled turn may take to end."""
TURN_LIMIT = 120.0
"""Seconds without a change or a frame after which a turn is stuck; each stage has a shorter limit of its own."""

CLOSED = "cut off: who asked has gone, or the house closed"
"""What the sender of a turn is told that was in progress then."""

_inside: contextvars.ContextVar[int] = contextvars.ContextVar("turn", default=0)


class Place:
    """Owns the turn in progress, the queue of announcements, volume, and what was really said."""

    def __init__(
        self, means: Means, start: Callable[..., asyncio.Task[None]], pulse: Pulse, source: str = "microphone",
        session: str = ROOM,
    ) -> None:  # fmt: skip
        """Answer with these means.

        Args:
            means: what it hears, thinks and speaks with.
            start: ``start(coroutine, name=…)`` runs a turn as a task.
            pulse: a turn's frames beat it.
            source: what is heard here comes from there, in reports.
            session: of who is heard here.
        """
        self.pulse = pulse
        self._source, self._session = source, session
        self.state: State = "idle"
        self.volume = 100
        self.invite: Callable[[], None] = lambda: None
        """Listens for what the person has to say to the answer, without a wake word."""
        self.current: Request | None = None
        self._means, self._news, self._start = means, means.news, start
        self._task: asyncio.Task[None] | None = None
        self._waiting = Waiting(means.manners.max_queue, means.news)
        self._switch = asyncio.Lock()
        self._resting, self._free = asyncio.Event(), asyncio.Event()
        self._resting.set()
        self._free.set()
        self._ailing = self._deaf = self._closing = False

    @property
    def displays(self) -> Displays:
        """Where it is seen and heard."""
        return self._means.voice.displays

    @property
    def sessions(self) -> Sessions:
        """Whose histories it keeps."""
        return self._means.sessions

    @property
    def ringing(self) -> bool:
        """Whether a timer rings."""
        return self.current is not None and self.current.kind == "ring"

    @property
    def queued(self) -> int:
        """Announcements that wait."""
        return len(self._waiting)

    async def wake(self, detected: WakeDetected | None, hearing: Hearing) -> None:
        """A person speaks: end what is going on and hear the request."""
        try:
            async with self._switch:
                await self._end_turn()
                self._begin(Request(
                    "hear", self._source, session=self._session, language=self._means.manners.language, wake=detected,
                    hearing=hearing,
                ))  # fmt: skip
        finally:
            self._next()  # where the microphone was closed meanwhile, nobody is heard

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
        self._waiting.add(request)
        self._next()

    async def interrupt(self) -> None:
        """End the turn in progress, unless it is the one that asks; what waits goes on."""
        async with self._switch:
            if self.current is not None and self.current.turn != _inside.get():
                await self._end_turn()
        self._next()

    async def withdraw(self, turn: int) -> None:
        """End one turn, in progress or queued; its sender is told."""
        self._waiting.drop(turn)
        if self.current is not None and self.current.turn == turn:
            await self.interrupt()

    async def stop(self) -> None:
        """End the turn in progress and drop what waits; the senders are told."""
        self._waiting.drop()
        await self.interrupt()

    def set_volume(self, percent: int) -> None:
        """Set the loudness, 0–100."""
        self.volume = percent
        self.displays.set_volume(percent)

    def alive(self) -> None:
        """The turn goes on."""
        self.pulse.beat(TURN_LIMIT)

    async def close(self) -> None:
        """End everything; what is cut off is told why."""
        self._closing = True
        await self.stop()
        self._recovered()

    def _next(self) -> None:
        if self._task is None and self._waiting and not self._switch.locked():
            self._begin(self._waiting.next())

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
            unheard(request, self._news, CLOSED if self._closing else DROPPED)

    def _leave(self) -> None:
        self._task = self.current = None
        self._free.set()

    def deaf(self, on: bool) -> None:
        """Where nothing can be heard, that is an error and no idleness; what is going on goes on."""
        self._deaf = on
        if self._task is None:
            self.enter("idle")

    def enter(self, state: State) -> None:
        """Be in this state from now on."""
        resting = state == "idle"
        state = "error" if resting and self._deaf else state
        self.pulse.beat(math.inf if resting else TURN_LIMIT)
        if state != self.state:
            self.state = state
            self._news.publish(StateChanged(state))
        if resting or state == "listening":
            self._resting.set()
        else:
            self._resting.clear()

    async def _run(self, request: Request) -> None:
        _inside.set(request.turn)
        turn = Exchanging(self._means, self, request)
        try:
            await turn.run()
        except asyncio.CancelledError:
            turn.interrupted = True
            raise
        except Exception as failure:  # one turn is lost, never the daemon
            err = first_cause(failure)
            if ending():
                log.warning("turn %d: as it was ended: %s", request.turn, err)
                turn.interrupted = True
                raise asyncio.CancelledError from None
            await self._apologise(turn, err)
        else:
            self._recovered()
            if turn.invites and not self._waiting:
                self.invite()
        finally:
            if turn.interrupted and self._closing:
                turn.error = CLOSED
            if self._task is asyncio.current_task():  # or it was stuck, and another has taken its place
                self._leave()
                self.enter("idle")
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
        self.enter("error")
        self._ailing = True
        self._news.publish(Problem("turn", turn.error))
        # A voice whose process died is started again for this.
        if isinstance(err, StageFailed) and err.stage in ("render", "display"):
            return
        try:
            apology = Answer(
                turn.request.turn, self._means.voice, self._news, Timeline(), self._means.manners.language, lambda: None
            )
            await apology.give(tokens_of(self._means.manners.phrases.failed), lambda: self.enter("responding"))
        except Exception as failure:  # as above
            again = first_cause(failure)
            if ending():
                turn.interrupted = True
                raise asyncio.CancelledError from None
            trace = None if isinstance(again, AvatardError) else again
            log.error("turn %d: nor could it apologise: %s", turn.request.turn, again, exc_info=trace)
