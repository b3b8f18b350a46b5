"""Commands as they come over a socket: JSON, checked, then given to the assistant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from avatard.api.door import Assistant
from avatard.api.errors import AvatardError, Refused
from avatard.plugins.web.wire import encodable

LARGEST = 4096
"""Bytes in a text message."""
LIMIT = 15.0
"""Seconds that a command may take; a turn that has to end first takes at most 5."""
NUMBERS = 2**53


class Garbage(ValueError):
    """What came is no message."""


class _Message(BaseModel, frozen=True, extra="ignore", strict=True):
    id: int = Field(ge=-NUMBERS, le=NUMBERS)


class _Text(_Message):
    text: str


class _Switch(_Message):
    on: bool


class _Volume(_Message):
    percent: int = Field(ge=0, le=100)


class _Choice(_Message):
    name: str = Field(max_length=200)


class _Timer(_Message):
    seconds: float = Field(gt=0, le=7 * 86400, allow_inf_nan=False)
    name: str = Field("", max_length=100)


class _CancelTimer(_Message):
    timer: int | None = None


class Hello(BaseModel, frozen=True, extra="ignore", strict=True):
    """The first message."""

    page: str = Field(pattern="^(room|talk|control)$")
    stream: str | None = Field(None, pattern="^(canvas|h264|none|auto)$")
    sound: bool = True
    session: str = Field("", max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")


class Played(BaseModel, frozen=True, extra="ignore", strict=True):
    """How far an answer was played."""

    answer: int = Field(ge=0, le=2**32 - 1)
    at: float = Field(ge=0, le=86400, allow_inf_nan=False)


class Talk(BaseModel, frozen=True, extra="ignore", strict=True):
    """The button to talk was pressed or released."""

    on: bool


def parsed(text: str) -> dict[str, Any]:
    """Read a message.

    Raises:
        Garbage: it is no JSON object with a type.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise Garbage(f"not JSON: {err}") from err
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Garbage('an object with a "type" is needed')
    if not encodable(json.dumps(message, ensure_ascii=False)):
        raise Garbage("half a character")
    return message


class Commands:
    """Obeys for one place and session."""

    def __init__(self, assistant: Assistant, session: str) -> None:
        """Give commands to the assistant."""
        self._assistant, self._session = assistant, session
        self._known: dict[str, tuple[type[_Message], Callable[[Any], Awaitable[int | None]]]] = {
            "say": (_Text, self._say), "ask": (_Text, self._ask), "listen": (_Message, self._listen),
            "stop": (_Message, self._stop), "mute": (_Switch, self._mute), "volume": (_Volume, self._volume),
            "voice": (_Choice, self._voice), "face": (_Choice, self._face), "screen": (_Switch, self._screen),
            "timer": (_Timer, self._timer), "cancel_timer": (_CancelTimer, self._cancel_timer),
        }  # fmt: skip

    def knows(self, message: dict[str, Any]) -> bool:
        """Whether it is a command."""
        return message["type"] in self._known

    async def obey(self, message: dict[str, Any]) -> dict[str, Any]:
        """Do what the message says; return the answer to it."""
        schema, do = self._known[message["type"]]
        id = message.get("id")
        answer: dict[str, Any] = {"type": "answer", "id": id if isinstance(id, int) else None}
        try:
            async with asyncio.timeout(LIMIT):
                turn = await do(schema.model_validate(message))
        except ValidationError as err:
            first = err.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "message"
            return answer | {"ok": False, "error": f"{where}: {first['msg']}"}
        except AvatardError as err:
            return answer | {"ok": False, "error": str(err)}
        except TimeoutError:
            return answer | {"ok": False, "error": f"not done within {LIMIT:.0f} s"}
        return answer | {"ok": True, **({} if turn is None else {"turn": turn})}

    async def _say(self, say: _Text) -> int:
        return (await self._assistant.say(say.text, source="web", session=self._session)).turn

    async def _ask(self, ask: _Text) -> int:
        return (await self._assistant.ask(ask.text, source="web", session=self._session)).turn

    async def _listen(self, _: _Message) -> None:
        await self._assistant.listen()

    async def _stop(self, _: _Message) -> None:
        await self._assistant.stop()

    async def _mute(self, mute: _Switch) -> None:
        await self._assistant.mute(mute.on)

    async def _volume(self, volume: _Volume) -> None:
        await self._assistant.set_volume(volume.percent)

    async def _voice(self, voice: _Choice) -> None:
        await self._assistant.set_voice(voice.name)

    async def _face(self, face: _Choice) -> None:
        await self._assistant.set_face(face.name)

    async def _screen(self, screen: _Switch) -> None:
        await self._assistant.set_screen(screen.on)

    async def _timer(self, timer: _Timer) -> None:
        await self._assistant.set_timer(timer.seconds, timer.name)

    async def _cancel_timer(self, cancel: _CancelTimer) -> None:
        if await self._assistant.cancel_timer(cancel.timer) is None:
            raise Refused("there is no such timer")

