"""Sentences in, MQTT messages out; the same actions are tools for a language model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from avatard.api.context import Model, PluginContext
from avatard.api.errors import Refused
from avatard.api.flow import ReplyToken, SessionView, SpokenGrammar, Transcript
from avatard.api.stages import Responder
from avatard.api.tools import Post, Tool
from avatard.plugins.mqtt_actions.config import SLOT, Action, ConversationConfig, Range

MEGABYTES = 12
LONGEST = 300
"""Characters; a longer text is no command."""
DONE = {"en": "Done.", "de": "Erledigt.", "es": "Hecho.", "fr": "C'est fait.", "zh": "好了。"}
"""Language → the answer where an action has none of its own."""


class Deed:
    """One action as it is said, published and offered."""

    def __init__(self, name: str, action: Action) -> None:
        """Know its words."""
        self.name, self.action = name, action
        self.words = {slot: _pairs(words) for slot, words in action.slots.items()}

    @property
    def sentences(self) -> list[str]:
        """Its templates, with slots' names of its own."""
        return [SLOT.sub(lambda found: f"{{{self.name}__{found[1]}}}", text) for text in self.action.sentences]

    def message(self, slots: Mapping[str, list[str]]) -> tuple[str, bytes]:
        """Topic and payload."""
        values = {name: value for name, (_, value) in slots.items()}
        return _filled(self.action.topic, values), _filled(self.action.payload, values).encode()

    def reply(self, slots: Mapping[str, list[str]], language: str) -> str:
        """What is answered."""
        usual = DONE.get(language.split("-")[0], DONE["en"])
        return _filled(self.action.reply, {name: said for name, (said, _) in slots.items()}) or usual

    def tool(self, post: Post) -> Tool:
        """It as a tool; the model names slots' words, never a topic."""
        needed = [name for name in self.words if f"{{{name}}}" in self.action.topic + self.action.payload]

        async def call(arguments: Mapping[str, Any]) -> str:
            slots = {}
            for name, given in arguments.items():
                pair = next((pair for pair in self.words[name] if pair[0] == str(given)), None)
                if pair is None:
                    raise Refused(f"{self.name}: {name}: {str(given)[:40]!r} is none of its words")
                slots[name] = pair
            await post.publish(*self.message(slots))
            return "done"

        properties: dict[str, Any] = {}
        for name in needed:
            words = self.action.slots[name]
            if isinstance(words, Range):
                properties[name] = {"type": "integer", "minimum": words.minimum, "maximum": words.maximum}
            else:
                properties[name] = {"type": "string", "enum": list(words)}
        schema = {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
        described = self.action.description or f"Do what {self.action.sentences[0]!r} asks for."
        return Tool(self.name, described, schema, call)


class ActionsResponder:
    """Answers the configured sentences, and None otherwise."""

    def __init__(self, model: Model, deeds: dict[str, Deed], spoken: dict[str, list[str]], post: Post) -> None:
        """Publish through the post; ``spoken`` are the slots' words as they sound."""
        self._model, self._deeds, self._spoken, self._post = model, deeds, spoken, post

    def grammar(self, language: str) -> SpokenGrammar | None:
        """Its sentences, for recognisers that need to be told."""
        rules = {
            f"{deed.name}__{slot}": " | ".join(self._spoken[f"{deed.name}__{slot}"])
            for deed in self._deeds.values() for slot in deed.words
        }  # fmt: skip
        sentences = [
            text.replace("{", "<").replace("}", ">").lower() for deed in self._deeds.values() for text in deed.sentences
        ]  # fmt: skip
        return SpokenGrammar({name: words.lower() for name, words in rules.items()}, tuple(sentences))

    async def reply(self, heard: Transcript, session: SessionView) -> AsyncIterator[ReplyToken] | None:
        """Understand and publish."""
        found = await self._model.call("recognize", heard.text) if len(heard.text) <= LONGEST else None
        if found is None:
            return None
        deed = self._deeds[found[0]]
        slots = {name.removeprefix(f"{deed.name}__"): value for name, value in found[1].items()}
        await self._post.publish(*deed.message(slots))
        return _words(deed.reply(slots, heard.language))


def _pairs(words: dict[str, str] | list[str] | Range) -> list[list[str]]:
    """(said, published) pairs."""
    if isinstance(words, dict):
        return [[said, value] for said, value in words.items()]
    if isinstance(words, list):
        return [[said, said] for said in words]
    return [[str(number), str(number)] for number in range(words.minimum, words.maximum + 1)]


def _filled(text: str, values: Mapping[str, str]) -> str:
    return SLOT.sub(lambda found: values.get(found[1], found[0]), text)


async def _words(text: str) -> AsyncGenerator[ReplyToken, None]:
    yield ReplyToken(text)


@asynccontextmanager
async def async_setup(context: PluginContext, config: ConversationConfig) -> AsyncIterator[Responder]:
    """Load the sentences and offer the tools."""
    from avatard.plugins.mqtt_actions.engine import SentencesEngine

    deeds = {name: Deed(name, action) for name, action in config.actions.items()}
    model = context.model(
        SentencesEngine, MEGABYTES, language=context.language,
        sentences={name: deed.sentences for name, deed in deeds.items()},
        words={f"{name}__{slot}": pairs for name, deed in deeds.items() for slot, pairs in deed.words.items()},
    )  # fmt: skip
    await model.load()
    spoken = {
        f"{deed.name}__{slot}": [said for said, _ in pairs if not said.removeprefix("-").isdigit()]
        + await model.call("spelled", [said for said, _ in pairs])
        for deed in deeds.values() for slot, pairs in deed.words.items()
    }  # fmt: skip
    with ExitStack() as offered:
        for deed in deeds.values():
            offered.enter_context(context.tools.offer(deed.tool(context.post)))
        yield ActionsResponder(model, deeds, spoken, context.post)
