"""Visitors of a troubled house: each with a microphone, a display and a session of his own."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import numpy as np

from avatard.api.errors import NotReady
from avatard.api.flow import LISTEN_RATE, AudioFrame
from avatard.api.news import Problem, StateChanged, TurnFinished
from avatard.api.pace import Pace
from avatard.plugins.scripted.code import FRAME, written
from avatard.plugins.scripted.config import DisplayConfig
from avatard.plugins.scripted.display import ScriptedDisplay

SILENCE = np.zeros(FRAME, np.int16)


class Ears:
    """A browser's microphone."""

    live = True

    def __init__(self, caller: Caller) -> None:
        self.sound: deque[np.ndarray] = deque()
        self.open = 0
        self._caller = caller

    async def frames(self) -> Any:
        self.open += 1
        self._caller.expect(self.open == 1, "two microphones are open")
        try:
            pace, count = Pace(True), 0
            while True:
                await pace.until(count * FRAME / LISTEN_RATE)
                sound = self.sound.popleft() if self.sound else SILENCE
                yield AudioFrame(sound, LISTEN_RATE, count * FRAME / LISTEN_RATE, self._caller.world.now)
                count += 1
        finally:
            self.open -= 1


class Screen(ScriptedDisplay):
    """A browser's page; what it shows is the world's to judge."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(DisplayConfig(pace="real"))
        self._caller, self._playing = caller, 0

    async def play(self, stream: Any) -> None:
        shown = self._caller.shown()
        self._playing += 1
        self._caller.expect(self._playing == 1, "two answers sound at once")

        async def noted() -> Any:
            async for frame in stream:
                yield frame
                shown.note(frame)

        try:
            await super().play(noted())
        finally:
            self._playing -= 1


class Caller:
    """One visitor, from his coming to his going."""

    def __init__(self, world: Any, name: str, heard: bool) -> None:
        """``heard``: he has a microphone."""
        self.world, self.name = world, name
        self.ears, self.screen = Ears(self) if heard else None, Screen(self)
        self.tickets: dict[str, Any] = {}
        self.visit: Any = None
        self._stay: Any = None
        self._gone = asyncio.Event()
        self._called = -1e9
        """When he last had it listen"""
        self._muted: float | None = None
        """Since when he is muted"""

    def expect(self, holds: bool, what: str) -> None:
        self.world.expect(holds, f"{self.name}: {what}")

    async def stay(self) -> None:
        """Be there until he leaves or is sent away."""
        visits = self.world.foundation.visit
        try:
            async with visits("web", self.ears, self.screen, self.name) as self.visit:
                self._stay = visits._stays[-1]
                with self.visit.news.subscribe(10_000) as news:
                    following = asyncio.create_task(self._follow(news))
                    try:
                        await self._gone.wait()
                    finally:
                        following.cancel()
        except NotReady:
            pass  # he is not let in, or has to go
        finally:
            self.visit = None

    def leave(self) -> None:
        """Go."""
        self._gone.set()

    async def do(self, what: str, number: int, note: str) -> None:
        """Have him do something: one of ``DEEDS``."""
        if self.visit is None:
            return
        door = self.visit.assistant
        match what:
            case "ask":
                self.tickets[f"question {number}"] = await door.ask(f"question {number}")
            case "say":
                self.tickets[note] = await door.say(note)
            case "stop":
                await door.stop()
            case "mute" | "unmute":
                await door.mute(what == "mute")
                if self.ears is not None:
                    self.ears.sound.clear()
            case "listen":
                await door.listen()
                self._called = self.world.now
            case _ if self.ears is not None:
                self.ears.sound.extend([written("wake", "okay_nabu"), *[SILENCE] * 6])
                self.ears.sound.extend([*[written("speech", f"question {number}")] * 10, *[SILENCE] * 20])
                self._called = self.world.now + 8  # it may be told only now of what was heard before

    def look(self, grace: float) -> None:
        """His microphone is closed while he is muted, but for so many seconds."""
        muted = self.visit is not None and self._stay.orders.settings.muted
        self._muted = (self._muted if self._muted is not None else self.world.now) if muted else None
        if self._muted is not None and self.ears is not None and self.world.now - self._muted > grace:
            self.expect(not self.ears.open, "the microphone is open while it is muted")

    @property
    def quiet(self) -> bool:
        """Whether nothing goes on here."""
        if self.visit is None:
            return True
        place = self._stay._seat.place
        return bool(place.state == "idle" and place.current is None and not place.queued)

    def shown(self) -> Any:
        """What he is about to be shown."""
        place = self._stay._seat.place
        return self.world.show(place.current, place.state == "error")

    async def _follow(self, news: Any) -> None:
        state, deaf = "idle", False
        async for event in news:
            if isinstance(event, StateChanged):
                self.expect(self.world.may_follow(state, event.state, deaf), f"{state} → {event.state}")
                state = event.state
                asked = state != "listening" or self.world.now - self._called < 8
                self.expect(asked, "it listens, and he did not have it listen")
            elif isinstance(event, Problem) and event.where == "microphone":
                deaf = not event.over
            elif isinstance(event, TurnFinished) and event.report.reply.endswith("?"):
                self._called = self.world.now


DEEDS = ("ask", "say", "request", "stop", "mute", "unmute", "listen")
