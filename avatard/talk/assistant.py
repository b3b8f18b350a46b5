"""The door: fulfils ``api.door.Assistant`` for the house and its room."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from avatard.api.door import Status, Ticket, TimerView
from avatard.api.errors import NotReady, Refused
from avatard.api.news import News, Problem, SettingChanged, Tier
from avatard.api.stages import Choices, LipSyncRenderer, SpeechSynthesizer
from avatard.talk.orders import Orders, Seat, here
from avatard.talk.phrasebook import phrases_in
from avatard.talk.place import Place
from avatard.talk.ranking import Ranking
from avatard.talk.settings import Settings
from avatard.talk.timers import Timer, Timers

STARTING = "the daemon is still starting"


@dataclass(slots=True)
class Household:
    """What the door opens on; complete once the daemon has started."""

    seat: Seat
    """The room's."""
    engines: Callable[[], dict[str, str]]
    tts: Ranking[SpeechSynthesizer]
    render: Ranking[LipSyncRenderer]

    @property
    def place(self) -> Place:
        """The room."""
        return self.seat.place


class Keeper(Protocol):
    """Who can begin anew: the daemon, where it runs from a file."""

    async def reload(self) -> None:
        """Read the configuration again and reopen what has changed."""

    async def restart(self) -> None:
        """Start the program again."""


class Door:
    """Commands for the house; those that concern a place are for the room, or for the visitor in whose turn we are."""

    def __init__(self, news: News) -> None:
        """Tell of what is changed."""
        self.household: Household | None = None
        self.keeper: Keeper | None = None
        self.room = Orders(news, STARTING)
        self.timers = Timers(self._ring, news)
        self._configured = {"voice": "", "face": ""}
        self.tier: Tier = "normal"
        self.problems: dict[str, str] = {}
        self._news = news
        self._began = time.monotonic()

    async def move_in(self, household: Household) -> None:
        """Open on another house, and set it as the last one was."""
        self.household = household
        self.room.move_in(household.seat)
        settings = self.settings
        self._configured = {"voice": _choices(household.tts)[1], "face": _choices(household.render)[1]}
        for ranking, name, instead in (
            (household.tts, settings.voice, settings.voice_instead),
            (household.render, settings.face, settings.face_instead),
        ):
            engine = ranking.serving
            if isinstance(engine, Choices) and name in engine.choices and engine.chosen == instead:
                await engine.choose(name)

    def move_out(self) -> None:
        """The house closes; what can only be obeyed in one is refused from now on."""
        self.household = self.room.seat = None

    @property
    def settings(self) -> Settings:
        """How the room behaves, and what was chosen for the house."""
        return self.room.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.room.settings = settings

    @property
    def muted(self) -> bool:
        """Whether the room's microphone is closed."""
        return self.settings.muted

    @property
    def _house(self) -> Household:
        if self.household is None:
            raise NotReady(STARTING)
        return self.household

    @property
    def _orders(self) -> Orders:
        """Who takes what concerns a place: "louder", said by a visitor, is meant for his."""
        visitor = here.get()
        return self.room if visitor is None or visitor.seat is None else visitor

    async def say(
        self, text: str, *, source: str = "api", session: str = "room", interrupt: bool = False, priority: int = 0,
        volume: int | None = None, language: str | None = None,
    ) -> Ticket:  # fmt: skip
        """Queue an announcement."""
        return await self._orders.say(text, source, session, interrupt, priority, volume, language)

    async def ask(self, text: str, *, source: str = "api", session: str = "room") -> Ticket:
        """Answer a written question."""
        return await self._orders.ask(text, source, session)

    async def listen(self) -> None:
        """Hear a request now."""
        await self._orders.listen()

    async def stop(self) -> None:
        """End what is going on."""
        await self._orders.stop()

    async def mute(self, on: bool) -> None:
        """Close the microphone or open it."""
        await self._orders.mute(on)

    async def set_volume(self, percent: int) -> None:
        """Set the loudness."""
        await self._orders.set_volume(percent)

    async def set_voice(self, name: str) -> None:
        """Choose a voice."""
        await self._choose("voice", self._house.tts, name)

    async def set_face(self, name: str) -> None:
        """Choose a face."""
        await self._choose("face", self._house.render, name)

    async def set_screen(self, on: bool) -> None:
        """Switch the screens."""
        if self._house.place.displays.screen is None:
            raise Refused("no display has a screen that can be switched")
        await self._house.place.displays.set_screen(on)
        self._news.publish(SettingChanged("screen", on))

    async def reload(self) -> None:
        """Read the configuration again."""
        if self.keeper is None:
            raise Refused("this daemon does not run from a file: there is nothing to read again")
        await self.keeper.reload()

    async def restart(self) -> None:
        """Start the program again."""
        if self.keeper is None:
            raise Refused("nobody can start this daemon again: it was not started by 'avatard run'")
        await self.keeper.restart()

    async def set_timer(self, seconds: float, name: str = "") -> TimerView:
        """Start a timer; it rings where it was asked for."""
        return self.timers.start(seconds, name, here.get())

    async def add_to_timer(self, seconds: float, id: int | None = None, name: str = "") -> TimerView | None:
        """Let a timer end later."""
        return self.timers.add(seconds, id, name)

    async def cancel_timer(self, id: int | None = None, name: str = "") -> TimerView | None:
        """Cancel a timer, or stop its ring."""
        timer = self.timers.cancel(id, name)
        if timer is not None and timer.turn is not None:
            await self._rings_at(timer).withdraw(timer.turn)
        return None if timer is None else timer.view()

    def status(self) -> Status:
        """What is going on."""
        return self.status_of(self._orders)

    def status_of(self, orders: Orders) -> Status:
        """What is going on in this place, and in the house."""
        house, place, settings = self._house, orders.found.place, orders.settings
        voices, voice = _choices(house.tts)
        faces, face = _choices(house.render)
        current = place.current
        return Status(
            place.state, settings.muted, place.volume, current.turn if current else None, place.queued,
            round(time.monotonic() - self._began, 1), house.engines(), self.timers.views(), dict(self.problems),
            current.session if current else orders.session, voice, voices, face, faces, house.place.displays.screen,
            self.tier,
        )  # fmt: skip

    def note(self, problem: Problem) -> None:
        """Remember a problem until it is over."""
        if problem.over:
            self.problems.pop(problem.where, None)
        else:
            self.problems[problem.where] = problem.what

    async def _choose(self, what: Literal["voice", "face"], ranking: Ranking[Any], name: str) -> None:
        engine = ranking.serving
        choices, chosen = _choices(ranking)
        if name not in choices or not isinstance(engine, Choices):
            raise Refused(f"there is no {what} {name!r}; there {'are ' + ', '.join(choices) if choices else 'is none'}")
        if name != chosen:
            await engine.choose(name)
            setattr(self.settings, what, name)
            setattr(self.settings, f"{what}_instead", self._configured[what])
            self.room.keep(self.settings)
            self._news.publish(SettingChanged(what, name))

    async def _ring(self, timer: Timer) -> Ticket:
        phrases = phrases_in(self._house.seat.language)
        text = phrases.named_timer_done.format(timer.name) if timer.name else phrases.timer_done
        return await self._rings_at(timer).ring(text)

    def _rings_at(self, timer: Timer) -> Orders:
        return self.room if timer.where is None or timer.where.seat is None else timer.where


def _choices(ranking: Ranking[Any]) -> tuple[tuple[str, ...], str]:
    engine = ranking.serving
    return (engine.choices, engine.chosen) if isinstance(engine, Choices) else ((), "")
