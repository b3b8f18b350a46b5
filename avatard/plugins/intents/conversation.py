"""Intents as a responder: short spoken replies of our own."""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from avatard.api.context import Model, PluginContext
from avatard.api.door import Assistant
from avatard.api.errors import Refused
from avatard.api.flow import ReplyToken, SessionView, SpokenGrammar, Transcript
from avatard.api.stages import Responder
from avatard.plugins.intents.config import ConversationConfig
from avatard.plugins.intents.engine import IntentsEngine, grammar
from avatard.plugins.intents.numbers import clock, number, ordinal

MEGABYTES = 25
LONGEST = 300
"""Characters; a longer text is no command."""
STEP = 15
"""Percent of volume for louder and quieter."""


class IntentsResponder:
    """Answers what it understands, and None otherwise."""

    def __init__(self, model: Model, assistant: Assistant, rooms: tuple[str, ...], persona: str) -> None:
        """Act through the assistant."""
        self._model, self._assistant, self._rooms, self._persona = model, assistant, rooms, persona

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
        now = datetime.datetime.now()
        match intent.removeprefix("Hass").removeprefix("GetCurrent"):
            case "Time":
                return f"It is {clock(now.hour, now.minute)}."
            case "Date":
                return f"Today is {now:%A}, the {ordinal(now.day)} of {now:%B}."
            case "Switch" | "TurnOn" | "TurnOff" | "LightSet":
                return _unconnected(intent, slots)
            case "SetVolume":
                return await self._volume(int(slots.get("number", slots.get("volume_level", 50))))
            case "Louder":
                return await self._volume(min(100, self._assistant.status().volume + STEP))
            case "Quieter":
                return await self._volume(max(0, self._assistant.status().volume - STEP))
            case "Repeat":
                return next((e.said for e in reversed(session.history) if e.said), "I have not said anything yet.")
            case "Stop" | "Nevermind":
                await self._assistant.stop()
                return ""
            case "Who":
                return f"I am {self._persona}. I live in this house, and everything I hear stays here."
            case "Help":
                return ("You can ask me for the time and the date. I set timers, and I change my volume. "
                        "Say stop, and I am quiet.")  # fmt: skip
            case "Hello":
                return "Hello! What can I do for you?"
            case "Thanks":
                return "You are welcome."
            case _:
                return await self._timer(intent, slots)

    async def _volume(self, percent: int) -> str:
        await self._assistant.set_volume(percent)
        return f"Volume {number(percent)} percent."

    async def _timer(self, intent: str, slots: dict[str, Any]) -> str | None:
        if intent == "SetTimer":
            seconds = int(slots["number"]) * int(slots["unit"])
        elif intent == "HassStartTimer":
            seconds = sum(int(slots.get(k, 0)) * s for k, s in (("hours", 3600), ("minutes", 60), ("seconds", 1)))
        elif intent in ("CancelTimer", "HassCancelTimer", "HassCancelAllTimers"):
            return "The timer is cancelled." if await self._assistant.cancel_timer() else "There is no timer."
        elif intent in ("TimerLeft", "HassTimerStatus"):
            timers = self._assistant.status().timers
            return f"{_length(timers[0].seconds_left).capitalize()} are left." if timers else "There is no timer."
        else:
            return None
        try:
            await self._assistant.set_timer(seconds, str(slots.get("name", "")))
        except Refused as err:
            return f"I cannot set {err}."
        return f"{_length(seconds).capitalize()}, starting now."


def _unconnected(intent: str, slots: dict[str, Any]) -> str:
    room = slots.get("room", slots.get("area"))
    what = f"the {room} lights" if room else "that"
    return f"No house is connected yet, so I cannot switch {what}."


def _length(seconds: float) -> str:
    for size, unit in ((3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{number(min(count, 100))} {unit}{'' if count == 1 else 's'}"
    return "no seconds"


async def _words(text: str) -> AsyncGenerator[ReplyToken, None]:
    for word in text.split():
        yield ReplyToken(word + " ")


@asynccontextmanager
async def async_setup(context: PluginContext, config: ConversationConfig) -> AsyncIterator[Responder]:
    """Load the sentences."""
    model = context.model(IntentsEngine, MEGABYTES, language=context.language, rooms=list(context.rooms))
    await model.load()
    yield IntentsResponder(model, context.assistant, context.rooms, config.persona)
