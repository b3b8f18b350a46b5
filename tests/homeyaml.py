"""Home Assistant's YAML, as far as the examples use it, and what they name in a house."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from avatard.api.door import Status
from avatard.api.errors import Refused
from avatard.plugins.mqtt.commands import Commands
from avatard.plugins.mqtt.discovery import device_message

ROOT = Path(__file__).parent.parent
HOME = ROOT / "config" / "examples" / "home-assistant"
BASE = "avatard/living-room"
BARE = Status(state="idle", muted=False, volume=60, turn=None, queued=0, uptime_s=1.0)
"""A box that has nothing to choose and no screen to switch: what it offers, every one does."""
EQUIPPED = replace(BARE, screen=True)
"""A box with all that pages tell of."""
ENTITY = re.compile(
    r"(?<![\w./-])(?:automation|binary_sensor|button|event|input_text|light|notify|number|script|select|sensor|switch"
    r"|text|update|weather)\.[a-z0-9_]+"
)
TOPIC = re.compile(r"avatard/living-room/[a-z/]+")
ACTIONS = {"notify.send_message", "input_text.set_value", "button.press", "switch.turn_on", "switch.turn_off"}
"""What Home Assistant does, not what is there."""


class Input(str):
    """The name of a blueprint's input."""


class Loader(yaml.SafeLoader):
    """Knows ``!input``, and ``!secret`` of avatard's own files."""


Loader.add_constructor("!input", lambda loader, node: Input(loader.construct_scalar(node)))
Loader.add_constructor("!secret", lambda loader, node: loader.construct_scalar(node))


def load(text: str) -> Any:
    return yaml.load(text, Loader)


def example(name: str) -> Any:
    return load((HOME / name).read_text())


def slug(text: str) -> str:
    """What Home Assistant makes of a name."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def components(message: dict[str, Any] | None = None) -> dict[str, Any]:
    found = message or device_message("living-room", "Living room", BASE, "1", BARE, temperature=True)
    return dict(found["components"])


def offered(message: dict[str, Any] | None = None) -> set[str]:
    """The entities that Home Assistant makes for an avatard called "Living room"."""
    shown = [c for c in components(message).values() if c.get("enabled_by_default", True)]
    return {f"{c['platform']}.{slug('Living room ' + c['name'])}" for c in shown}


async def commands() -> set[str]:
    """The topics on which a command is obeyed."""
    try:
        await Commands(None, 1).obey("no such command", b"")  # type: ignore[arg-type]
    except Refused as err:
        return {f"{BASE}/{name}" for name in re.findall(r"\w+/set", str(err))}
    raise AssertionError


def topics() -> set[str]:
    """The topics on which something is published."""
    told = {v for c in components().values() for k, v in c.items() if k.endswith("topic") and not v.endswith("/set")}
    # Home Assistant reads ``problem`` from the health, and availability once for the whole device.
    return told | {f"{BASE}/{name}" for name in ("availability", "problem", "turn", "voice", "face", "screen")}


def strings(data: Any) -> Iterator[str]:
    """Every text in it, but for descriptions to a person."""
    match data:
        case str():
            yield data
        case list():
            for item in data:
                yield from strings(item)
        case dict():
            for key, value in data.items():
                if key != "description":
                    yield from strings(value)


def entities(data: Any) -> set[str]:
    return {found for text in strings(data) for found in ENTITY.findall(text)} - ACTIONS
