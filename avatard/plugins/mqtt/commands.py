"""Commands as they come: bytes on a topic, checked, then given to the assistant."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from avatard.api.allowance import Allowance
from avatard.api.door import Assistant
from avatard.api.errors import Refused

LARGEST = 64 * 1024
"""Bytes in a payload"""
BURST = 50
"""Commands that may come at once"""
TOLD = 5
"""Errors of one payload that are told; thousands fit into it."""
ALWAYS = ("stop/set", "mute/set")
"""Topics that are obeyed however much else comes."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]")
"""Control characters, but for tab and line ends."""

T = TypeVar("T", bound=BaseModel)
Session = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Say(BaseModel, frozen=True, extra="forbid", strict=True):
    """The JSON of ``say/set``."""

    text: str
    session: Session = "room"
    interrupt: bool = False
    priority: int = Field(0, ge=-50, le=50)
    volume: int | None = Field(None, ge=0, le=100)
    language: str | None = Field(None, pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$")


class Ask(BaseModel, frozen=True, extra="forbid", strict=True):
    """The JSON of ``ask/set``."""

    text: str
    session: Session = "room"


class Commands:
    """Obeys one command after another."""

    def __init__(self, assistant: Assistant, per_second: float) -> None:
        """Give commands to the assistant; refuse more than ``per_second``, after a burst."""
        self._assistant = assistant
        self._allowance = Allowance(per_second, BURST)
        self._obey: dict[str, Callable[[bytes], Awaitable[int | None]]] = {
            "say/set": self._say, "ask/set": self._ask, "listen/set": self._listen, "stop/set": self._stop,
            "restart/set": self._restart, "reload/set": self._reload, "mute/set": self._mute,
            "screen/set": self._screen, "volume/set": self._volume, "voice/set": self._voice, "face/set": self._face,
        }  # fmt: skip

    async def obey(self, name: str, payload: bytes) -> int | None:
        """Do what the command ``name`` (``say/set``) says; return its turn's number, where it has one.

        Raises:
            Refused: it cannot be obeyed; nothing has changed.
            AvatardError: as the assistant's.
        """
        if name not in self._obey:
            raise Refused(f"unknown command; known are {', '.join(sorted(self._obey))}")
        if name not in ALWAYS and not self._allowance.take():
            raise Refused("too many commands at once; send fewer (mqtt: commands_per_second)")
        if len(payload) > LARGEST:
            raise Refused(f"{len(payload)} bytes; at most {LARGEST} are taken")
        return await self._obey[name](payload)

    async def _say(self, payload: bytes) -> int | None:
        say = _request(payload, Say)
        ticket = await self._assistant.say(
            say.text, source="mqtt", session=say.session, interrupt=say.interrupt, priority=say.priority,
            volume=say.volume, language=say.language,
        )  # fmt: skip
        return ticket.turn

    async def _ask(self, payload: bytes) -> int | None:
        ask = _request(payload, Ask)
        return (await self._assistant.ask(ask.text, source="mqtt", session=ask.session)).turn

    async def _listen(self, payload: bytes) -> None:
        await self._assistant.listen()

    async def _stop(self, payload: bytes) -> None:
        await self._assistant.stop()

    async def _restart(self, payload: bytes) -> None:
        await self._assistant.restart()

    async def _reload(self, payload: bytes) -> None:
        await self._assistant.reload()

    async def _mute(self, payload: bytes) -> None:
        await self._assistant.mute(_on_or_off(payload))

    async def _screen(self, payload: bytes) -> None:
        await self._assistant.set_screen(_on_or_off(payload))

    async def _volume(self, payload: bytes) -> None:
        text = _text(payload).strip()
        try:
            value = float(text)
        except ValueError:
            value = -1
        if not 0 <= value <= 100:
            raise Refused(f"{_shown(text)}: give a number from 0 to 100")
        await self._assistant.set_volume(round(value))

    async def _voice(self, payload: bytes) -> None:
        await self._assistant.set_voice(_text(payload).strip())

    async def _face(self, payload: bytes) -> None:
        await self._assistant.set_face(_text(payload).strip())


def _request(payload: bytes, schema: type[T]) -> T:
    """Read plain text, or JSON where it begins with a brace."""
    text = _text(payload)
    if not text.lstrip().startswith("{"):
        return schema.model_validate({"text": text})
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise Refused(f"not JSON: {err}; send plain text, or an object such as {{\"text\": \"Hello\"}}") from err
    try:
        request = schema.model_validate(data)
    except ValidationError as err:
        errors = [_wrong(error) for error in err.errors(include_input=False, include_url=False)]
        more = [f"and {len(errors) - TOLD} more"] if len(errors) > TOLD else []
        known = f"known keys are {', '.join(schema.model_fields)}"
        raise Refused("; ".join([*errors[:TOLD], *more, known])) from err
    _checked(request.model_dump()["text"])
    return request


def _wrong(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    return f"{_shown(key)}: {'unknown key' if error['type'] == 'extra_forbidden' else error['msg'].lower()}"


def _text(payload: bytes) -> str:
    try:
        return _checked(payload.decode())
    except UnicodeDecodeError as err:
        raise Refused(f"not UTF-8 text (byte {err.start})") from err


def _checked(text: str) -> str:
    if found := CONTROL.search(text):
        raise Refused(f"control character U+{ord(found[0]):04X} at position {found.start()}; send text without it")
    return text


def _on_or_off(payload: bytes) -> bool:
    text = _text(payload).strip().upper()
    if text not in ("ON", "OFF"):
        raise Refused(f"{_shown(text)}: give ON or OFF")
    return text == "ON"


def _shown(text: str, longest: int = 40) -> str:
    return repr(text if len(text) <= longest else text[:longest] + "…")
