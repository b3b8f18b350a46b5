"""Intents as a responder: short spoken replies of our own."""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from avatard.api.context import Model, PluginContext
from avatard.api.door import Assistant, TimerView
from avatard.api.errors import Refused
from avatard.api.flow import MORE, ReplyToken, SessionView, SpokenGrammar, Transcript
from avatard.api.stages import Responder
from avatard.plugins.intents.config import ConversationConfig
from avatard.plugins.intents.engine import IntentsEngine, grammar
from avatard.plugins.intents.wording import Wording

MEGABYTES = 25
LONGEST = 300
"""Characters; a longer text is no command."""
STEP = 15
"""Percent of volume for louder and quieter."""
HOUSE = ("Switch", "HassTurnOn", "HassTurnOff", "HassLightSet")
"""What only a house can do."""
LATER = {"AddToTimer": 1, "IncreaseTimer": 1, "DecreaseTimer": -1}
"""Intents by which a timer ends later or earlier."""
SPOKEN = {"Who": "who", "Help": "help", "Hello": "hello", "Thanks": "thanks"}
"""Intents that are answered with a phrase alone."""


class IntentsResponder:
    """Answers what it understands, and None otherwise."""

    def __init__(
        self, model: Model, assistant: Assistant, rooms: tuple[str, ...], persona: str, wording: Wording, alone: bool
    ) -> None:
        """Act through the assistant; ``alone``: nobody else answers, so what concerns the house is explained."""
        self._model, self._assistant, self._rooms, self._persona = model, assistant, rooms, persona
        self._wording, self._alone = wording, alone

    def grammar(self, language: str) -> SpokenGrammar | None:
        """What it understands, for recognisers that need to be told."""
        return grammar(language, self._rooms)

    async def reply(self, heard: Transcript, session: SessionView) -> AsyncIterator[ReplyToken] | None:
        """Understand and act."""
        if len(heard.text) > LONGEST:
            return None
        found = await self._model.call("recognize", heard.text)
        if found is None:
            return None
        text = await self._answer(found[0], found[1], session)
        return None if text is None else _words(text)

    async def _answer(self, intent: str, slots: dict[str, Any], session: SessionView) -> str | None:
        words, room = self._wording, slots.get("room", slots.get("area"))
        if intent in HOUSE or (intent.startswith("Hass") and room):
            if not self._alone or intent not in HOUSE:
                return None
            return words.say("unconnected_room", room=str(room)) if room else words.say("unconnected")
        now = datetime.datetime.now()
        match intent.removeprefix("HassGetCurrent").removeprefix("Hass"):
            case "Time":
                return words.say("time", time=words.clock(now.hour, now.minute))
            case "Date":
                return words.say("date", date=words.date(now.date()))
            case "SetVolume":
                return await self._volume(int(slots.get("number", slots.get("volume_level", 50))))
            case "Louder":
                return await self._volume(min(100, self._assistant.status().volume + STEP))
            case "Quieter":
                return await self._volume(max(0, self._assistant.status().volume - STEP))
            case "Repeat":
                return next((e.said for e in reversed(session.history) if e.said), words.say("nothing_said"))
            case "GoOn":
                return self._rest(session)
            case "Stop" | "Nevermind":
                await self._assistant.stop()
                return ""
            case _ if intent in SPOKEN:
                return words.say(SPOKEN[intent], persona=self._persona)
            case kind:
                return await self._timer(kind, slots)

    def _rest(self, session: SessionView) -> str | None:
        """What an interrupt left unsaid; None where another responder is left to think of it."""
        rest = next((e.unsaid for e in reversed(session.history) if e.said or e.unsaid), "")
        if not self._alone and (not rest or rest.endswith(MORE)):
            return None
        return rest.removesuffix(MORE).strip() or self._wording.say("had_finished")

    async def _volume(self, percent: int) -> str:
        await self._assistant.set_volume(percent)
        return self._wording.say("volume", number=self._wording.number(percent))

    async def _timer(self, kind: str, slots: dict[str, Any]) -> str | None:
        words, name = self._wording, str(slots.get("name", "")).strip()
        if kind in ("SetTimer", "StartTimer"):
            return await self._start(seconds_in(slots), name)
        if kind in LATER:
            return await self._later(LATER[kind] * seconds_in(slots), name)
        if kind not in ("CancelTimer", "CancelAllTimers", "TimerLeft", "TimerStatus"):
            return None
        timer = self._running(name)
        if timer is None:
            return words.say("no_timer")
        if kind in ("TimerLeft", "TimerStatus"):
            return words.say("timer_left", length=words.length(timer.seconds_left))
        await self._assistant.cancel_timer(timer.id)
        while kind == "CancelAllTimers" and await self._assistant.cancel_timer():
            pass
        return words.say("timer_cancelled")

    async def _start(self, seconds: int, name: str) -> str:
        words = self._wording
        try:
            await self._assistant.set_timer(seconds, name)
        except Refused as err:
            return words.say("timer_refused", why=str(err))
        length = words.length(seconds)
        return words.say("named_timer_set", length=length, timer=name) if name else words.say(
            "timer_set", length=length
        )  # fmt: skip

    async def _later(self, seconds: int, name: str) -> str:
        try:
            timer = await self._assistant.add_to_timer(seconds, name=name)
        except Refused as err:
            return self._wording.say("timer_refused", why=str(err))
        if timer is None:
            return self._wording.say("no_timer")
        return self._wording.say("timer_left", length=self._wording.length(timer.seconds_left))

    def _running(self, name: str) -> TimerView | None:
        """The timer of that name; the one that ends first where none is named."""
        timers = self._assistant.status().timers
        return next((timer for timer in timers if not name or timer.name.lower() == name.lower()), None)


def seconds_in(slots: dict[str, Any]) -> int:
    """The length that a sentence names."""
    if "span" in slots:
        return int(slots["span"])
    if "number" in slots:
        return int(slots["number"]) * int(slots["unit"])
    return sum(int(slots.get(unit, 0)) * size for unit, size in (("hours", 3600), ("minutes", 60), ("seconds", 1)))


async def _words(text: str) -> AsyncGenerator[ReplyToken, None]:
    for number, word in enumerate(text.split(" ") if text else ()):
        yield ReplyToken(f" {word}" if number else word)


@asynccontextmanager
async def async_setup(context: PluginContext, config: ConversationConfig) -> AsyncIterator[Responder]:
    """Load the sentences."""
    wording = Wording(context.language)
    model = context.model(IntentsEngine, MEGABYTES, language=context.language, rooms=list(context.rooms))
    await model.load()
    alone = all(platform == context.name for platform in context.responders)
    yield IntentsResponder(model, context.assistant, context.rooms, config.persona, wording, alone)
