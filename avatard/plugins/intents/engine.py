"""hassil on sentences of our own, then on Home Assistant's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from avatard.api.flow import SpokenGrammar
from avatard.plugins.intents.wording import Wording, base, table

VARIANTS = {"zh": "zh-CN", "pt": "pt-BR", "sr": "sr-Latn"}
"""Languages that Home Assistant has by region alone."""
PERCENT = re.compile(r"(\d)\s*%")
"""Written only: all sentences that take a number take it without the word, too."""
NAME = "{name}"
"""The slot that takes any words: nothing for a grammar."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """What is understood in one language."""

    intents: dict[str, list[str]]
    """Intent → templates"""
    lists: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Slot → words → value"""
    polite: tuple[str, ...] = ()
    """Words that may stand anywhere and mean nothing."""
    together: bool = False
    """Whether words stand without spaces between them."""


def sentences(language: str) -> Sentences:
    """A language's sentences; none where it does not ship."""
    loaded = table("sentences", language)
    lists, polite, together = loaded.pop("lists", {}), loaded.pop("polite", ()), loaded.pop("together", False)
    if loaded:
        lists["number"] = Wording(language).numbers() | lists.get("number", {})
    return Sentences(loaded, lists, tuple(polite), together)


def grammar(language: str, rooms: tuple[str, ...]) -> SpokenGrammar | None:
    """The templates as a spoken grammar: hassil's ( | ) and [ ] are JSGF's, {slot} becomes <slot>."""
    known = sentences(language)
    texts = [text for lines in known.intents.values() for text in lines if NAME not in text]
    if not texts or known.together:
        return None
    # Singular and plural sound alike: the recogniser gets the plural, hassil takes both.
    spoken = [text.replace("light[s]", "lights").replace("{", "<").replace("}", ">") for text in texts]
    rules = {slot: " | ".join(dict.fromkeys(word.replace("-", " ") for word in words))
             for slot, words in known.lists.items()}  # fmt: skip
    return SpokenGrammar({"room": " | ".join(rooms)} | rules, tuple(spoken))


class IntentsEngine:
    """Finds the intent of a text."""

    def __init__(self, language: str, rooms: list[str]) -> None:
        """Load the sentences and warm them up: hassil's first match takes 0.3 s."""
        from hassil import Intents, TextSlotList
        from home_assistant_intents import get_intents

        self._language = language
        known = sentences(language)
        # Whoever types leaves accents out, and recognisers differ in hyphens.
        self._own = [_Own(known, rooms, language)]
        if not known.together:
            self._own.append(_Own(_bare(known), [bare(room) for room in rooms], language, bare))
        self._together = known.together
        house = get_intents(language) or get_intents(base(language)) or get_intents(VARIANTS.get(base(language), ""))
        self._house = Intents.from_dict(house) if house else None
        nothing = TextSlotList.from_strings([])
        areas = TextSlotList.from_strings(rooms)
        self._house_lists: dict[str, Any] = {"name": nothing, "area": areas, "floor": nothing}
        self.recognize("warm up")

    def recognize(self, text: str) -> tuple[str, dict[str, Any]] | None:
        """Return (intent, slots), or None where it is not understood."""
        from hassil import recognize_best

        text = text.replace("’", "'")
        if self._together:
            text = "".join(text.split())
        for own in self._own:
            if found := own.recognize(PERCENT.sub(r"\1", text)):
                return found
        if self._house is None:
            return None
        result = recognize_best(text, self._house, slot_lists=self._house_lists, language=self._language)
        return _told(result) if result else None


class _Own:
    """Our sentences in hassil."""

    def __init__(self, known: Sentences, rooms: list[str], language: str, read: Any = str) -> None:
        from hassil import Intents, TextSlotList, WildcardSlotList

        data = {name: {"data": [{"sentences": lines}]} for name, lines in known.intents.items()}
        self._intents = Intents.from_dict({
            "language": language, "intents": data, "settings": {"ignore_whitespace": known.together},
            "skip_words": list(known.polite),
        })  # fmt: skip
        self._language, self._read = language, read
        self._lists: dict[str, Any] = {
            slot: TextSlotList.from_tuples(words.items()) for slot, words in known.lists.items()
        }
        numbers = [(str(n), n) for n in range(101)]
        self._lists["number"] = TextSlotList.from_tuples([*known.lists.get("number", {}).items(), *numbers])
        self._lists |= {"room": TextSlotList.from_strings(rooms), "name": WildcardSlotList(name="name")}

    def recognize(self, text: str) -> tuple[str, dict[str, Any]] | None:
        from hassil import recognize_best

        found = recognize_best(self._read(text), self._intents, slot_lists=self._lists, language=self._language)
        return _told(found) if found else None


def bare(text: str) -> str:
    """The text without accents and hyphens: é becomes e, ß becomes ss."""
    parts = unicodedata.normalize("NFD", text.replace("ß", "ss"))
    kept = "".join(part for part in parts if unicodedata.category(part) != "Mn")
    return unicodedata.normalize("NFC", kept).replace("-", " ")


def _bare(known: Sentences) -> Sentences:
    intents = {name: [bare(line) for line in lines] for name, lines in known.intents.items()}
    lists: dict[str, dict[str, Any]] = {
        slot: {bare(word): value for word, value in words.items()} for slot, words in known.lists.items()
    }
    return Sentences(intents, lists, tuple(map(bare, known.polite)), known.together)


def _told(found: Any) -> tuple[str, dict[str, Any]]:
    slots: Mapping[str, Any] = found.entities
    return found.intent.name, {name: entity.value for name, entity in slots.items()}
