"""Options of the platform ``mqtt_actions``."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

SLOT = re.compile(r"\{([^{}]*)\}")
NAME = r"^[a-z][a-z0-9_]{0,39}$"
RANGE_MOST = 1000
"""Numbers in a range."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Name = Annotated[str, StringConstraints(pattern=NAME)]


class Range(BaseModel, frozen=True, extra="forbid"):
    """Whole numbers, said as digits or as words."""

    minimum: int = Field(0, ge=-1000, le=1_000_000, description="the lowest")
    maximum: int = Field(100, ge=-1000, le=1_000_000, description="the highest")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.minimum < self.maximum <= self.minimum + RANGE_MOST:
            raise ValueError(f"maximum must be above minimum, by at most {RANGE_MOST}")
        return self


class Action(BaseModel, frozen=True, extra="forbid"):
    """What is said, and the message that it becomes."""

    sentences: tuple[Text, ...] = Field(
        min_length=1, max_length=50, description="(a | b): a choice, [a]: may be left out, {slot}: one of its words"
    )
    topic: Text = Field(description="where it is published; {slot} is filled in; it must be among allow")
    payload: str = Field("", max_length=2000, description="what is published; {slot} is filled in, other braces stay")
    slots: dict[Name, dict[Text, str] | list[Text] | Range] = Field(
        default_factory=dict, description="name: {said: published}, [words], or {minimum, maximum} for a number"
    )
    reply: str = Field("", max_length=300, description="what is answered, with {slot} as it was said")
    description: str = Field("", max_length=300, description="for a language model: when to use it")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for sentence in self.sentences:
            _balanced(sentence)
        said = {name for sentence in self.sentences for name in SLOT.findall(sentence)}
        if unknown := said - set(self.slots):
            raise ValueError(f"sentences: no slot {', '.join(sorted(unknown))}: add it under slots")
        everywhere = set.intersection(*(set(SLOT.findall(sentence)) for sentence in self.sentences))
        if loose := set(SLOT.findall(self.topic)) - everywhere:
            raise ValueError(f"topic: {{{sorted(loose)[0]}}} must be a slot that is in every sentence")
        used = {name for name in SLOT.findall(self.payload) + SLOT.findall(self.reply) if name in self.slots}
        if loose := used - everywhere:
            raise ValueError(f"payload and reply: {{{sorted(loose)[0]}}} must be in every sentence")
        for name, words in self.slots.items():
            values = () if isinstance(words, Range) else words.values() if isinstance(words, dict) else words
            if f"{{{name}}}" in self.topic and any(set(value) & set("+#\x00/") or not value for value in values):
                raise ValueError(f"slots: {name}: it is part of the topic, so its values may hold no / + or #")
        return self

    @field_validator("topic")
    @classmethod
    def _plain(cls, topic: str) -> str:
        if set(topic) & set("+#\x00") or topic.startswith("$") or topic.endswith("/"):
            raise ValueError("one topic is needed, without + and #, such as zigbee2mqtt/lamp/set")
        return topic


class ConversationConfig(BaseModel, frozen=True, extra="forbid"):
    """Which sentences there are."""

    allow: tuple[Text, ...] = Field(
        min_length=1, description="topic filters that may be published to, such as zigbee2mqtt/+/set"
    )
    actions: dict[Name, Action] = Field(min_length=1, max_length=200, description="name: what is said and published")

    @model_validator(mode="after")
    def _allowed(self) -> Self:
        for name, action in self.actions.items():
            shape = SLOT.sub("x", action.topic)
            if not any(matches(topic_filter, shape) for topic_filter in self.allow):
                raise ValueError(f"actions: {name}: topic {action.topic} is not among allow: {', '.join(self.allow)}")
        return self


def matches(topic_filter: str, topic: str) -> bool:
    """Whether an MQTT topic filter with + and # takes the topic (MQTT 5.0, section 4.7)."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    for at, part in enumerate(wanted):
        if part == "#":
            return at == len(wanted) - 1
        if at >= len(given) or part not in ("+", given[at]):
            return False
    return len(wanted) == len(given)


def _balanced(sentence: str) -> None:
    open_ones: list[str] = []
    for character in sentence:
        if character in "([{":
            open_ones.append({"(": ")", "[": "]", "{": "}"}[character])
        elif character in ")]}" and (not open_ones or open_ones.pop() != character):
            raise ValueError(f"sentences: {sentence!r}: {character!r} closes nothing")
    if open_ones:
        raise ValueError(f"sentences: {sentence!r}: {open_ones[-1]!r} is missing")
    if not re.search(r"\w", SLOT.sub("", sentence)):
        raise ValueError(f"sentences: {sentence!r}: it needs a word of its own")


SCHEMAS: dict[str, type[BaseModel]] = {"conversation": ConversationConfig}
