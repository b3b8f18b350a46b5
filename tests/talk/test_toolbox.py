"""Tools: an allow-list, checked arguments, and what the daemon itself can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatard.api.errors import NotReady, Refused
from avatard.api.tools import Tool
from avatard.runtime.config import Configuration
from avatard.runtime.foundation import open_foundation
from avatard.runtime.house import furnished
from avatard.talk.handiwork import NAMES
from avatard.talk.post import Post
from avatard.talk.toolbox import Toolbox, checked

SCHEMA = {
    "type": "object", "required": ["room"],
    "properties": {
        "room": {"type": "string", "enum": ["kitchen", "hall"]},
        "percent": {"type": "integer", "minimum": 0, "maximum": 9},
        "on": {"type": "boolean"},
    },
}  # fmt: skip


async def do(arguments: Mapping[str, Any]) -> str:
    return f"done {sorted(arguments.items())}"


LIGHT = Tool("light", "Switch a light.", SCHEMA, do)


async def test_only_what_is_allowed_and_there_is_called() -> None:
    box = Toolbox()
    with box.offer(LIGHT):
        assert await box.call("light", {"room": "hall"}, ["light"]) == "done [('room', 'hall')]"
        for name, allowed in (("light", ["door"]), ("door", ["door"]), ("", []), ("light" * 50, ["light"])):
            with pytest.raises(Refused, match="there is no tool"):
                await box.call(name, {"room": "hall"}, allowed)
        assert [tool.name for tool in box.named(["door", "light"])] == ["light"]
    assert box.named(["light"]) == []


def test_a_later_tool_of_the_same_name_goes_before_it() -> None:
    box, other = Toolbox(), Tool("light", "Another.", SCHEMA, do)
    with box.offer(LIGHT):
        with box.offer(other):
            assert box.named(["light"]) == [other]
        assert box.named(["light"]) == [LIGHT]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "must be an object"), ("{}", "must be an object"), ({}, "room is missing"),
        ({"room": "hall", "topic": "x"}, "takes no topic"), ({"room": "cellar"}, "one of kitchen, hall"),
        ({"room": 3}, "type string"), ({"room": "hall", "percent": 12}, "at most 9"),
        ({"room": "hall", "percent": -1}, "at least 0"), ({"room": "hall", "percent": True}, "type integer"),
        ({"room": "hall", "percent": 1.5}, "type integer"), ({"room": "hall", "on": "yes"}, "type boolean"),
    ],
)  # fmt: skip
def test_wrong_arguments(arguments: Any, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        checked(LIGHT, arguments)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["room", "percent", "on", "x"]), inner),
    max_leaves=6,
)


@given(json_like)
def test_whatever_comes_is_refused_or_fits(arguments: Any) -> None:
    try:
        good = checked(LIGHT, arguments)
    except Refused:
        return
    assert good["room"] in ("kitchen", "hall") and set(good) <= set(SCHEMA["properties"])  # type: ignore[arg-type]


async def test_the_daemon_s_own_tools(scripted: Callable[..., Configuration]) -> None:
    async with open_foundation(settings := scripted()) as ground, furnished(settings, ground) as house:
        tools = ground.tools
        assert [tool.name for tool in tools.named(NAMES)] == list(NAMES)
        assert "60 seconds" in await tools.call("set_timer", {"seconds": 60, "name": "tea"}, NAMES)
        assert "tea: 60 seconds left" in await tools.call("list_timers", {}, NAMES)
        await tools.call("set_volume", {"percent": 30}, NAMES)
        assert house.door.status().volume == 30
        assert await tools.call("cancel_timer", {}, NAMES) == "cancelled"
        assert await tools.call("cancel_timer", {"id": 7}, NAMES) == "no such timer runs"
        assert ":" in await tools.call("get_time", {}, NAMES)


async def test_a_message_to_the_house_needs_a_carrier() -> None:
    post, carried = Post(), []

    async def carrier(topic: str, payload: bytes) -> None:
        carried.append((topic, payload))

    with pytest.raises(NotReady, match="mqtt"):
        await post.publish("zigbee/lamp/set", b"ON")
    with post.carried_by(carrier):
        await post.publish("zigbee/lamp/set", b"ON")
    assert carried == [("zigbee/lamp/set", b"ON")]
    with pytest.raises(NotReady):
        await post.publish("zigbee/lamp/set", b"ON")
