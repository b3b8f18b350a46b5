"""The daemon's own tools: timers, loudness, the time."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from avatard.api.door import Assistant
from avatard.api.tools import Tool

NAMES = ("set_timer", "cancel_timer", "add_to_timer", "list_timers", "set_volume", "get_time")
"""What every configuration may allow."""


def own_tools(door: Assistant) -> list[Tool]:
    """The tools that act through the door."""

    async def set_timer(arguments: Mapping[str, Any]) -> str:
        view = await door.set_timer(float(arguments["seconds"]), str(arguments.get("name", "")))
        return f"timer {view.id} runs for {round(view.seconds_left)} seconds"

    async def cancel_timer(arguments: Mapping[str, Any]) -> str:
        view = await door.cancel_timer(arguments.get("id"), str(arguments.get("name", "")))
        return "cancelled" if view else "no such timer runs"

    async def add_to_timer(arguments: Mapping[str, Any]) -> str:
        view = await door.add_to_timer(float(arguments["seconds"]), name=str(arguments.get("name", "")))
        return f"timer {view.id} runs for {round(view.seconds_left)} seconds" if view else "no such timer runs"

    async def list_timers(arguments: Mapping[str, Any]) -> str:
        timers = door.status().timers
        return "; ".join(f"{t.id} {t.name}: {round(t.seconds_left)} seconds left" for t in timers) or "no timer runs"

    async def set_volume(arguments: Mapping[str, Any]) -> str:
        await door.set_volume(int(arguments["percent"]))
        return f"volume {arguments['percent']} percent"

    async def get_time(arguments: Mapping[str, Any]) -> str:
        return f"{datetime.datetime.now().astimezone():%A, %d %B %Y, %H:%M}"

    seconds = {"type": "number", "minimum": 1, "maximum": 86400, "description": "length in seconds"}
    percent = {"type": "integer", "minimum": 0, "maximum": 100}
    return [
        Tool("set_timer", "Start a timer that rings.", _object(("seconds",), seconds=seconds, name={"type": "string"}),
             set_timer),
        Tool("cancel_timer", "Cancel a timer; without id and name the next to end.",
             _object((), id={"type": "integer"}, name={"type": "string"}), cancel_timer),
        Tool("add_to_timer", "Let a timer end later by some seconds; without name the next to end.",
             _object(("seconds",), seconds={"type": "number", "minimum": -86400, "maximum": 86400},
                     name={"type": "string"}), add_to_timer),
        Tool("list_timers", "Which timers run, and how long still.", _object(()), list_timers),
        Tool("set_volume", "Set the loudness of the speaker.", _object(("percent",), percent=percent), set_volume),
        Tool("get_time", "The local date and time.", _object(()), get_time),
    ]  # fmt: skip


def _object(required: tuple[str, ...], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
