"""The door: fulfils ``api.door.Assistant`` for one place."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from avatard.api.door import Status, Ticket, TimerView
from avatard.api.errors import NotReady, Refused
from avatard.api.news import News, Problem, SettingChanged, Tier
from avatard.api.stages import Choices, LipSyncRenderer, SpeechSynthesizer
from avatard.talk.listening import Listening
from avatard.talk.phrasebook import phrases_in
from avatard.talk.place import Place
from avatard.talk.ranking import Ranking
from avatard.talk.requests import Request, checked
from avatard.talk.settings import Settings
from avatard.talk.timers import Timer, Timers


@dataclass(slots=True)
class Household:
    """What the door opens on; complete once the daemon has started."""

    place: Place
    listening: Listening | None
    engines: Callable[[], dict[str, str]]
    tts: Ranking[SpeechSynthesizer]
    render: Ranking[LipSyncRenderer]
    language: str
    max_text: int
    """Characters in a text to say or ask."""


class Keeper(Protocol):
    """Who can begin anew: the daemon, where it runs from a file."""

    async def reload(self) -> None:
        """Read the configuration again and reopen what has changed."""

    async def restart(self) -> None:
        """Start the program again."""


class Door:
    """Commands for one place."""

    def __init__(self, news: News) -> None:
        """Tell of what is changed."""
        self.household: Household | None = None
        self.keeper: Keeper | None = None
        self.timers = Timers(self._ring)
        self.settings = Settings()
        self._configured = {"voice": "", "face": ""}
        self.tier: Tier = "normal"
        self.problems: dict[str, str] = {}
        self._news = news
        self._began = time.monotonic()

    async def move_in(self, household: Household) -> None:
        """Open on another house, and set it as the last one was."""
        self.household = household
        household.place.set_volume(self.settings.volume)
        if self.muted and household.listening is not None:
            household.listening.mute(True)
        settings = self.settings
        self._configured = {"voice": _choices(household.tts)[1], "face": _choices(household.render)[1]}
        for ranking, name, instead in (
            (household.tts, settings.voice, settings.voice_instead),
            (household.render, settings.face, settings.face_instead),
        ):
            engine = ranking.serving
            if isinstance(engine, Choices) and name in engine.choices and engine.chosen == instead:
                await engine.choose(name)

    @property
    def muted(self) -> bool:
        """Whether the microphone is closed."""
        return self.settings.muted

    @property
    def _house(self) -> Household:
        if self.household is None:
            raise NotReady("the daemon is still starting")
        return self.household

    async def say(
        self, text: str, *, source: str = "api", session: str = "room", interrupt: bool = False, priority: int = 0,
        volume: int | None = None, language: str | None = None,
    ) -> Ticket:  # fmt: skip
        """Queue an announcement."""
        if volume is not None and not 0 <= volume <= 100:
            raise Refused(f"volume {volume}: give 0 to 100")
        request = Request(
            "say", source, checked(text, self._house.max_text), session, priority + (100 if interrupt else 0), volume,
            language or self._house.language,
        )  # fmt: skip
        return await self._submit(request, interrupt)

    async def ask(self, text: str, *, source: str = "api", session: str = "room") -> Ticket:
        """Answer a written question."""
        house = self._house
        await house.place.sessions.admit(session)
        request = Request("ask", source, checked(text, house.max_text), session, 10, language=house.language)
        return await self._submit(request, False)

    async def listen(self) -> None:
        """Hear a request now."""
        if self._house.listening is None:
            raise Refused("there is no microphone")
        if self.muted:
            raise Refused("it is muted: unmute it first")
        self._house.listening.listen()

    async def stop(self) -> None:
        """End what is going on."""
        await self._house.place.stop()

    async def mute(self, on: bool) -> None:
        """Close the microphone or open it."""
        # Obeyed at any time: a house that is still opening is muted as it opens.
        changed, self.settings.muted = on != self.muted, on
        if self.household is not None and self.household.listening is not None:
            self.household.listening.mute(on)
        if changed:
            self._news.publish(SettingChanged("mute", on))

    async def set_volume(self, percent: int) -> None:
        """Set the loudness."""
        if not 0 <= percent <= 100:
            raise Refused(f"volume {percent}: give 0 to 100")
        if self.household is not None:
            self.household.place.set_volume(percent)
        if percent != self.settings.volume:
            self.settings.volume = percent
            self._news.publish(SettingChanged("volume", percent))

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
        """Start a timer."""
        return self.timers.start(seconds, name)

    async def cancel_timer(self, id: int | None = None) -> TimerView | None:
        """Cancel a timer."""
        return self.timers.cancel(id)

    def status(self) -> Status:
        """What is going on."""
        house, place = self._house, self._house.place
        voices, voice = _choices(house.tts)
        faces, face = _choices(house.render)
        return Status(
            place.state, self.muted, place.volume, place.current.turn if place.current else None, place.queued,
            round(time.monotonic() - self._began, 1), house.engines(), self.timers.views(), dict(self.problems),
            place.current.session if place.current else "room", voice, voices, face, faces, place.displays.screen,
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
            self._news.publish(SettingChanged(what, name))

    async def _submit(self, request: Request, interrupt: bool) -> Ticket:
        self._house.place.submit(request)
        if interrupt and self._house.place.current is not request:
            await self._house.place.interrupt()
        return request.ticket()

    async def _ring(self, timer: Timer) -> None:
        phrases = phrases_in(self._house.language)
        text = phrases.named_timer_done.format(timer.name) if timer.name else phrases.timer_done
        self._house.place.submit(Request("ring", "timer", text, priority=5, language=self._house.language))


def _choices(ranking: Ranking[Any]) -> tuple[tuple[str, ...], str]:
    engine = ranking.serving
    return (engine.choices, engine.chosen) if isinstance(engine, Choices) else ((), "")
