"""Sentences that become messages: understood, checked, published once, offered as tools."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from avatard.api.errors import ConfigError, NotReady, Refused
from avatard.plugins.mqtt_actions.config import ConversationConfig, matches
from avatard.runtime.config import Configuration
from avatard.runtime.foundation import Foundation, open_foundation
from avatard.runtime.house import furnished

Scripted = Callable[..., Configuration]
LAMP = {
    "sentences": ["(turn | switch) {state} [the] hall lamp", "hall lamp {state}"], "topic": "zigbee2mqtt/hall/set",
    "payload": '{"state": "{state}"}', "slots": {"state": {"on": "ON", "off": "OFF"}},
    "reply": "The hall lamp is {state}.",
}  # fmt: skip
BLIND = {
    "sentences": ["set the {room} blind to {level} [percent]"], "topic": "cover/{room}/position", "payload": "{level}",
    "slots": {"room": ["kitchen", "office"], "level": {"minimum": 0, "maximum": 100}},
}  # fmt: skip
SCENE = {"sentences": ["good night"], "topic": "scene/night", "payload": ""}
ACTIONS = {
    "platform": "mqtt_actions", "allow": ["zigbee2mqtt/+/set", "cover/#", "scene/night"],
    "actions": {"lamp": LAMP, "blind": BLIND, "night": SCENE},
}  # fmt: skip


class Carrier:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def __call__(self, topic: str, payload: bytes) -> None:
        self.sent.append((topic, payload.decode()))


async def asked(ground: Foundation, house: Any, text: str) -> str:
    report = await (await house.door.ask(text)).finished
    return str(report.reply)


@pytest.mark.parametrize(
    ("text", "sent", "reply"),
    [
        ("turn on the hall lamp", ("zigbee2mqtt/hall/set", '{"state": "ON"}'), "The hall lamp is on."),
        ("Switch off hall lamp!", ("zigbee2mqtt/hall/set", '{"state": "OFF"}'), "The hall lamp is off."),
        ("set the office blind to 40 percent", ("cover/office/position", "40"), "Done."),
        ("set the kitchen blind to forty two", ("cover/kitchen/position", "42"), "Done."),
        ("good night", ("scene/night", ""), "Done."),
    ],
)
async def test_what_is_said_is_published(scripted: Scripted, text: str, sent: tuple[str, str], reply: str) -> None:
    carrier = Carrier()
    settings = scripted(conversation=[ACTIONS, {"platform": "scripted"}])
    async with open_foundation(settings) as ground, furnished(settings, ground) as house:
        with ground.post.carried_by(carrier):
            assert await asked(ground, house, text) == reply
    assert carrier.sent == [sent]


async def test_what_is_not_understood_goes_to_the_next(scripted: Scripted) -> None:
    carrier = Carrier()
    settings = scripted(conversation=[ACTIONS, {"platform": "scripted"}])
    async with open_foundation(settings) as ground, furnished(settings, ground) as house:
        with ground.post.carried_by(carrier):
            for text in ("turn on the cellar lamp", "set the office blind to 101", "turn on the hall lamp " * 20):
                assert (await asked(ground, house, text)).startswith("You said")
    assert not carrier.sent


async def test_without_a_broker_it_says_that_it_failed(scripted: Scripted) -> None:
    settings = scripted(conversation=ACTIONS)
    async with open_foundation(settings) as ground, furnished(settings, ground) as house:
        report = await (await house.door.ask("good night")).finished
        assert report.reply == "Sorry, something went wrong." and "mqtt" in report.error


async def test_actions_are_tools_that_name_words_and_no_topic(scripted: Scripted) -> None:
    carrier = Carrier()
    settings = scripted(conversation=ACTIONS)
    async with open_foundation(settings) as ground:
        async with furnished(settings, ground):
            with ground.post.carried_by(carrier):
                tools = {tool.name: tool for tool in ground.tools.named(["lamp", "blind", "night"])}
                assert tools["blind"].parameters["properties"] == {
                    "room": {"type": "string", "enum": ["kitchen", "office"]},
                    "level": {"type": "integer", "minimum": 0, "maximum": 100},
                }
                assert "zigbee2mqtt" not in json.dumps([t.parameters for t in tools.values()])
                await ground.tools.call("blind", {"room": "office", "level": 7}, ["blind"])
                await ground.tools.call("lamp", {"state": "on"}, ["lamp"])
                for name, arguments in (
                    ("blind", {"room": "office/../x", "level": 7}), ("blind", {"room": "office"}),
                    ("lamp", {"state": "ON"}), ("lamp", {"state": "on", "topic": "a"}),
                ):  # fmt: skip
                    with pytest.raises(Refused):
                        await ground.tools.call(name, arguments, [name])
            with pytest.raises(NotReady):
                await ground.tools.call("night", {}, ["night"])
        assert not ground.tools.named(["lamp"]), "they go with the house"
    assert carrier.sent == [("cover/office/position", "7"), ("zigbee2mqtt/hall/set", '{"state": "ON"}')]


async def test_the_recogniser_is_told_the_sentences(scripted: Scripted) -> None:
    settings = scripted(conversation=ACTIONS)
    async with open_foundation(settings) as ground, furnished(settings, ground) as house:
        grammar = house.place._means.responders[0][1].grammar("en")
    assert grammar is not None
    assert "set the <blind__room> blind to <blind__level> [percent]" in grammar.sentences
    assert grammar.rules["lamp__state"] == "on | off" and grammar.rules["blind__room"] == "kitchen | office"
    assert "forty two" in grammar.rules["blind__level"].split(" | ") and "42" not in grammar.rules["blind__level"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sentences": ["turn {way} the lamp"]}, "no slot way"),
        ({"sentences": ["turn (on the lamp"]}, r"'\)' is missing"),
        ({"sentences": ["turn on] the lamp {state}"]}, "closes nothing"),
        ({"sentences": ["{state}"]}, "a word of its own"),
        ({"sentences": []}, "at least 1"),
        ({"topic": "zigbee2mqtt/+/set"}, "without + and #"),
        ({"topic": "home/door/open"}, "not among allow"),
        ({"topic": "zigbee2mqtt/{state}/set", "sentences": ["lamp", "lamp {state}"]}, "in every sentence"),
        ({"topic": "cover/{state}/x", "slots": {"state": {"on": "a/b", "off": "c"}}}, "no / "),
        ({"sentences": ["lamp", "lamp {state}"]}, "must be in every sentence"),
        ({"slots": {"state": {"minimum": 5, "maximum": 5}}}, "above minimum"),
        ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_told_at_check(change: dict[str, Any], complaint: str) -> None:
    data = {"allow": ACTIONS["allow"], "actions": {"lamp": LAMP | change}}
    with pytest.raises(ValidationError) as caught:
        ConversationConfig.model_validate(data)
    assert re.search(complaint.replace("+", r"\+"), str(caught.value)), caught.value


def test_the_error_names_where(scripted: Scripted) -> None:
    bad = ACTIONS | {"actions": {"lamp": LAMP | {"topic": "x/y"}}}
    with pytest.raises(ConfigError, match="conversation"):
        scripted(conversation=bad)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "yes"),
    [
        ("a/b", "a/b", True), ("a/b", "a/c", False), ("a/+", "a/b", True), ("a/+", "a/b/c", False),
        ("a/#", "a/b/c", True), ("a/#", "b", False),
        ("#", "x", True), ("a/+/c", "a/b/c", True), ("a", "a/b", False), ("a/b", "a", False),
    ],
)  # fmt: skip
def test_filters(topic_filter: str, topic: str, yes: bool) -> None:
    assert matches(topic_filter, topic) is yes


async def test_two_at_once_are_two_messages(scripted: Scripted) -> None:
    carrier = Carrier()
    settings = scripted(conversation=ACTIONS)
    async with open_foundation(settings) as ground, furnished(settings, ground) as house:
        with ground.post.carried_by(carrier):
            tickets = [await house.door.ask("good night"), await house.door.ask("hall lamp on")]
            await asyncio.gather(*(ticket.finished for ticket in tickets))
    assert [topic for topic, _ in carrier.sent] == ["scene/night", "zigbee2mqtt/hall/set"]
