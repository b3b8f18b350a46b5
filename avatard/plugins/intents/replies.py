"""What it says and does for each intent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from avatard.api.door import Assistant
from avatard.api.errors import Refused
from avatard.api.flow import SessionView

from .numerals import clock, day, in_words, length, year

SILENCE = ""
LONGEST_TIMER = 24 * 3600
"""Seconds"""

Slots = dict[str, Any]
Answer = Callable[["Replies", Slots, SessionView], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Replies:
    """Acts on intents through the assistant's door, and words the replies."""

    assistant: Assistant
    name: str
    volume_step: int
    now: Callable[[], datetime] = datetime.now

    async def time(self, slots: Slots, session: SessionView) -> str:
        """It is ten past four."""
        return f"It is {clock(self.now())}."

    async def date(self, slots: Slots, session: SessionView) -> str:
        """Today is Tuesday, the twenty-fourth of November."""
        return f"Today is {day(self.now())}."

    async def year(self, slots: Slots, session: SessionView) -> str:
        """It is twenty twenty-six."""
        return f"It is {year(self.now().year)}."

    async def switch(self, slots: Slots, session: SessionView) -> str:
        """Say that there is nothing to switch yet."""
        device = slots.get("device") or slots.get("written_device")
        if device is None:
            return await self.house(slots, session)
        room = f"{slots['area']} " if slots.get("area") else ""
        return f"No house is connected yet, so I cannot switch the {room}{device} {slots['state']}."

    async def house(self, slots: Slots, session: SessionView) -> str:
        """Say that there is no house yet."""
        if slots.get("domain") == "light" and slots.get("area"):
            return f"No house is connected yet, so I cannot switch the {slots['area']} lights."
        return "No house is connected yet, so I cannot do that."

    async def set_volume(self, slots: Slots, session: SessionView) -> str:
        """Set it and say it."""
        value = slots.get("volume", slots.get("volume_level"))
        if value is None or slots.get("area"):
            return await self.house(slots, session)
        return await self._volume(int(value))

    async def louder(self, slots: Slots, session: SessionView) -> str:
        """One step up."""
        return await self._volume(self.assistant.status().volume + self.volume_step)

    async def quieter(self, slots: Slots, session: SessionView) -> str:
        """One step down."""
        return await self._volume(self.assistant.status().volume - self.volume_step)

    async def change_volume(self, slots: Slots, session: SessionView) -> str:
        """Up, down, or by a number of percent (Home Assistant's form)."""
        step = slots.get("volume_step")
        if step is None or slots.get("area"):
            return await self.house(slots, session)
        signed = {"up": self.volume_step, "down": -self.volume_step}.get(step) if isinstance(step, str) else int(step)
        return await self._volume(self.assistant.status().volume + (signed or 0))

    async def tell_volume(self, slots: Slots, session: SessionView) -> str:
        """Say how loud it is."""
        return f"My volume is {in_words(self.assistant.status().volume)} percent."

    async def _volume(self, percent: int) -> str:
        percent = min(100, max(0, percent))
        await self.assistant.set_volume(percent)
        return f"Volume {in_words(percent)} percent."

    async def repeat(self, slots: Slots, session: SessionView) -> str:
        """Say the last answer again."""
        said = [exchange.said for exchange in session.history if exchange.said.strip()]
        return said[-1] if said else "I have not said anything yet."

    async def stop(self, slots: Slots, session: SessionView) -> str:
        """End what is going on; silence is the answer."""
        await self.assistant.stop()
        return SILENCE

    async def never_mind(self, slots: Slots, session: SessionView) -> str:
        """Silence is the answer."""
        return SILENCE

    async def who_are_you(self, slots: Slots, session: SessionView) -> str:
        """Say its name."""
        return f"I am {self.name}, the voice and the face of this house."

    async def help(self, slots: Slots, session: SessionView) -> str:
        """Say what it can do."""
        return (
            "I can tell you the time and the date, set a timer, and speak louder or quieter. "
            "Once a house is connected, I can switch its lights too."
        )

    async def set_timer(self, slots: Slots, session: SessionView) -> str:
        """Start one."""
        if "conversation_command" in slots:
            return "I can only let a timer ring, not do something later."
        seconds = slots.get("span") or sum(
            float(slots.get(unit) or 0) * size for unit, size in (("hours", 3600), ("minutes", 60), ("seconds", 1))
        )
        name = str(slots.get("timer_name") or slots.get("name") or "").strip()
        if not 1 <= seconds <= LONGEST_TIMER:
            return "I can set a timer for one second up to twenty-four hours."
        try:
            await self.assistant.set_timer(float(seconds), name)
        except Refused:
            return "There are too many timers already. Cancel one first."
        return f"{f'{name.capitalize()} timer' if name else 'Timer'} set for {length(seconds)}."

    async def cancel_timer(self, slots: Slots, session: SessionView) -> str:
        """Cancel the one that ends first, or the one of that name."""
        name = str(slots.get("name") or "").strip().lower()
        named = [timer.id for timer in self.assistant.status().timers if timer.name.lower() == name]
        if name and not named:
            return f"There is no {name} timer."
        cancelled = await self.assistant.cancel_timer(named[0] if name else None)
        return "No timer is set." if cancelled is None else "Timer cancelled."

    async def cancel_timers(self, slots: Slots, session: SessionView) -> str:
        """Cancel all."""
        count = 0
        for timer in self.assistant.status().timers:
            count += await self.assistant.cancel_timer(timer.id) is not None
        if not count:
            return "No timer is set."
        return "Timer cancelled." if count == 1 else f"All {in_words(count)} timers are cancelled."

    async def timer_left(self, slots: Slots, session: SessionView) -> str:
        """Say how long is left, of the first to end."""
        timers = sorted(self.assistant.status().timers, key=lambda timer: timer.seconds_left)
        if not timers:
            return "No timer is set."
        if timers[0].ringing or timers[0].seconds_left < 1:
            return "The timer is ringing now."
        left = f"{length(timers[0].seconds_left)} left"
        return f"{left[0].upper()}{left[1:]}" + (" on the first timer." if len(timers) > 1 else ".")

    async def hello(self, slots: Slots, session: SessionView) -> str:
        """Greet."""
        return "Hello. What can I do for you?"

    async def goodnight(self, slots: Slots, session: SessionView) -> str:
        """Say goodbye."""
        return "Goodbye. I am here when you need me."

    async def thanks(self, slots: Slots, session: SessionView) -> str:
        """Accept thanks."""
        return "You are welcome."

    async def how_are_you(self, slots: Slots, session: SessionView) -> str:
        """Be well."""
        return "I am well, thank you."


ANSWERS: dict[str, Answer] = {
    "Time": Replies.time, "HassGetCurrentTime": Replies.time,
    "Date": Replies.date, "HassGetCurrentDate": Replies.date, "Year": Replies.year,
    "Switch": Replies.switch,
    "SetVolume": Replies.set_volume, "HassSetVolume": Replies.set_volume,
    "VolumeUp": Replies.louder, "VolumeDown": Replies.quieter, "TellVolume": Replies.tell_volume,
    "HassSetVolumeRelative": Replies.change_volume,
    "Repeat": Replies.repeat, "Stop": Replies.stop,
    "NeverMind": Replies.never_mind, "HassNevermind": Replies.never_mind,
    "WhoAreYou": Replies.who_are_you, "Help": Replies.help,
    "SetTimer": Replies.set_timer, "HassStartTimer": Replies.set_timer,
    "CancelTimer": Replies.cancel_timer, "HassCancelTimer": Replies.cancel_timer,
    "CancelTimers": Replies.cancel_timers, "HassCancelAllTimers": Replies.cancel_timers,
    "TimerLeft": Replies.timer_left, "HassTimerStatus": Replies.timer_left,
    "Hello": Replies.hello, "Goodnight": Replies.goodnight, "Thanks": Replies.thanks,
    "HowAreYou": Replies.how_are_you,
}  # fmt: skip
"""Intent → answer. What Home Assistant's sentences understand beyond these needs a house, or is nobody's."""

NEEDS_HOUSE = frozenset({
    "HassTurnOn", "HassTurnOff", "HassLightSet", "HassSetPosition", "HassFanSetSpeed", "HassClimateSetTemperature",
    "HassClimateSetFanMode", "HassClimateGetTemperature", "HassVacuumStart", "HassVacuumReturnToBase",
    "HassVacuumCleanArea", "HassLawnMowerDock", "HassLawnMowerStartMowing",
})  # fmt: skip
