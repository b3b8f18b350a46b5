"""The door as a visitor finds it: fulfils ``api.door.Assistant`` for a place of his own."""

from __future__ import annotations

from avatard.api.door import Status, Ticket, TimerView
from avatard.api.errors import Refused
from avatard.talk.assistant import Door
from avatard.talk.orders import Orders


class Visitor:
    """What is said, asked and muted is his place's; timers, faces and voices are the room's."""

    def __init__(self, orders: Orders, door: Door) -> None:
        """Command this place, and otherwise through the house's door."""
        self._orders, self._door = orders, door

    async def say(
        self, text: str, *, source: str = "api", session: str = "room", interrupt: bool = False, priority: int = 0,
        volume: int | None = None, language: str | None = None,
    ) -> Ticket:  # fmt: skip
        """Queue an announcement; source and session are the visitor's."""
        return await self._orders.say(text, source, session, interrupt, priority, volume, language)

    async def ask(self, text: str, *, source: str = "api", session: str = "room") -> Ticket:
        """Answer a written question; source and session are the visitor's."""
        return await self._orders.ask(text, source, session)

    async def listen(self) -> None:
        """Hear a request now."""
        await self._orders.listen()

    async def test_wake_word(self) -> dict[str, str]:
        """Nothing that a visitor may do."""
        raise Refused("a visitor cannot have the wake words tested")

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
        """Choose the house's voice."""
        await self._door.set_voice(name)

    async def set_face(self, name: str) -> None:
        """Choose the house's face."""
        await self._door.set_face(name)

    async def set_screen(self, on: bool) -> None:
        """Switch the room's screens."""
        await self._door.set_screen(on)

    async def reload(self) -> None:
        """Nothing that a visitor may do."""
        raise Refused("a visitor cannot have the configuration read again")

    async def restart(self) -> None:
        """Nothing that a visitor may do."""
        raise Refused("a visitor cannot start the daemon again")

    async def set_timer(self, seconds: float, name: str = "") -> TimerView:
        """Start a timer; it rings here, or in the room once he has left."""
        return self._door.timers.start(seconds, name, self._orders)

    async def add_to_timer(self, seconds: float, id: int | None = None, name: str = "") -> TimerView | None:
        """Let a timer end later."""
        return await self._door.add_to_timer(seconds, id, name)

    async def cancel_timer(self, id: int | None = None, name: str = "") -> TimerView | None:
        """Cancel a timer, or stop its ring."""
        return await self._door.cancel_timer(id, name)

    def status(self) -> Status:
        """What is going on here."""
        return self._door.status_of(self._orders)
