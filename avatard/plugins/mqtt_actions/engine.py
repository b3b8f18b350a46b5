"""hassil on the configured sentences."""

from __future__ import annotations

from typing import Any


class SentencesEngine:
    """Finds which action a text asks for."""

    def __init__(self, language: str, sentences: dict[str, list[str]], words: dict[str, list[list[Any]]]) -> None:
        """Take action → templates, and slot → (said, published) pairs; a slot's name has its action's before it."""
        from hassil import Intents, TextSlotList

        self._language = language
        self._numbers: Any = None
        data = {name: {"data": [{"sentences": lines}]} for name, lines in sentences.items()}
        for pairs in words.values():
            pairs += [[word, value] for said, value in pairs for word in self.spelled([said])]
        self._intents = Intents.from_dict({"language": language, "intents": data})
        self._lists: dict[str, Any] = {
            name: TextSlotList.from_tuples([(said, [said, value]) for said, value in pairs])
            for name, pairs in words.items()
        }
        self.recognize("warm up")

    def spelled(self, said: list[str]) -> list[str]:
        """The numbers among these in words of the language."""
        numbers = [int(text) for text in said if text.removeprefix("-").isdigit()]
        if numbers and self._numbers is None:
            from unicode_rbnf import RbnfEngine

            self._numbers = RbnfEngine.for_language(self._language.split("-")[0])
        return [self._numbers.format_number(number).text.replace("-", " ") for number in numbers]

    def recognize(self, text: str) -> tuple[str, dict[str, list[str]]] | None:
        """Return (action, slot → [said, published]); None where it is none of them."""
        from hassil import recognize_best

        found = recognize_best(text, self._intents, slot_lists=self._lists, language=self._language)
        if found is None:
            return None
        return found.intent.name, {name: entity.value for name, entity in found.entities.items()}
