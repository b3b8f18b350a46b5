"""hassil on sentences of our own, then on Home Assistant's."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

from avatard.api.flow import SpokenGrammar
from avatard.plugins.intents.numbers import NUMBERS

UNITS = {"second": 1, "seconds": 1, "minute": 60, "minutes": 60, "hour": 3600, "hours": 3600}
STATES = ("on", "off")


def templates(language: str) -> dict[str, list[str]]:
    """Intent → templates; empty where the language does not ship."""
    path = files(__package__) / f"sentences_{language.split('-')[0]}.yaml"
    if not path.is_file():
        return {}
    loaded: dict[str, list[str]] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


def grammar(language: str, rooms: tuple[str, ...]) -> SpokenGrammar | None:
    """The templates as a spoken grammar: hassil's ( | ) and [ ] are JSGF's, {slot} becomes <slot>."""
    texts = [text for lines in templates(language).values() for text in lines]
    # Singular and plural sound alike: the recogniser gets the plural, hassil takes both.
    sentences = [text.replace("light[s]", "lights").replace("{", "<").replace("}", ">") for text in texts]
    if not sentences:
        return None
    rules = {
        "state": " | ".join(STATES), "room": " | ".join(rooms), "number": " | ".join(NUMBERS),
        "unit": " | ".join(UNITS),
    }  # fmt: skip
    return SpokenGrammar(rules, tuple(sentences))


class IntentsEngine:
    """Finds the intent of a text."""

    def __init__(self, language: str, rooms: list[str]) -> None:
        """Load the sentences and warm them up: hassil's first match takes 0.3 s."""
        from hassil import Intents, TextSlotList
        from home_assistant_intents import get_intents

        self._language = language
        own = {name: {"data": [{"sentences": lines}]} for name, lines in templates(language).items()}
        self._own = Intents.from_dict({"language": language, "intents": own}) if own else None
        numbers = [(word, value) for word, value in NUMBERS.items()] + [(str(n), n) for n in range(101)]
        self._lists: dict[str, Any] = {
            "state": TextSlotList.from_strings(STATES), "room": TextSlotList.from_strings(rooms),
            "number": TextSlotList.from_tuples(numbers), "unit": TextSlotList.from_tuples(UNITS.items()),
        }  # fmt: skip
        house = get_intents(language.split("-")[0])
        self._house = Intents.from_dict(house) if house else None
        nothing = TextSlotList.from_strings([])
        areas = TextSlotList.from_strings(rooms)
        self._house_lists: dict[str, Any] = {"name": nothing, "area": areas, "floor": nothing}
        self.recognize("what time is it")

    def recognize(self, text: str) -> tuple[str, dict[str, Any]] | None:
        """Return (intent, slots), or None where it is not understood."""
        from hassil import recognize_best

        for intents, lists in ((self._own, self._lists), (self._house, self._house_lists)):
            if intents is None:
                continue
            if found := recognize_best(text, intents, slot_lists=lists, language=self._language):
                return found.intent.name, {name: entity.value for name, entity in found.entities.items()}
        return None
