"""Sentence templates → the grammar for recognisers that need to be told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from hassil.expression import Alternative, Expression, ListReference, RuleReference, Sequence, TextChunk
from hassil.intents import Intents, RangeSlotList, TextSlotList

from avatard.api.flow import SpokenGrammar

from .numerals import TENS, UNITS

LARGEST_NUMBER = 100
"""Numbers beyond it are understood in writing only: each costs the recogniser memory and certainty."""
NOTHING = "<NULL>"

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


class Spoken:
    """Turns the spoken blocks of one language's intents into JSGF expansions."""

    def __init__(self, intents: Intents, rooms: Iterable[str]) -> None:
        """Use the intents' lists and rules, and these rooms for ``{area}``."""
        self._intents = intents
        self._rooms = [words for room in rooms if (words := " ".join(_WORD.findall(room.lower())))]
        self._rules: dict[str, str] = {}

    def grammar(self) -> SpokenGrammar:
        """Build it.

        Raises:
            ValueError: a spoken sentence uses something that speech has no form for.
        """
        sentences = [
            text
            for intent in self._intents.intents.values()
            for block in intent.data
            if (block.metadata or {}).get("spoken", True)
            for sentence in block.sentences
            if (text := self._expansion(sentence.expression)) is not None
        ]
        return SpokenGrammar(dict(self._rules), tuple(sentences))

    def _expansion(self, expression: Expression) -> str | None:
        """The JSGF of an expression; None where it cannot be said (there are no rooms)."""
        if isinstance(expression, TextChunk):
            return " ".join(expression.text.lower().split())
        if isinstance(expression, Alternative):
            choices = [self._expansion(item) for item in expression.items]
            sayable = [choice for choice in choices if choice]
            if not sayable:
                return "" if expression.is_optional else None
            joined = " | ".join(dict.fromkeys(sayable))
            return f"[{joined}]" if expression.is_optional else f"({joined})"
        if isinstance(expression, Sequence):
            _check_words_apart(expression)
            parts = [self._expansion(item) for item in expression.items]
            return None if None in parts else " ".join(part for part in parts if part)
        if isinstance(expression, RuleReference):
            return self._rule(expression.rule_name, self._intents.expansion_rules[expression.rule_name].expression)
        if isinstance(expression, ListReference):
            return self._list(expression.list_name)
        raise ValueError(f"a spoken sentence cannot hold {type(expression).__name__}")

    def _rule(self, name: str, expression: Expression) -> str | None:
        if name not in self._rules:
            text = self._expansion(expression)
            if text is None:
                return None
            self._rules[name] = text
        return f"<{name}>"

    def _list(self, name: str) -> str | None:
        if name not in self._rules:
            text = self._choices(name)
            if not text:
                return None
            self._rules[name] = text
        return f"<{name}>"

    def _choices(self, name: str) -> str:
        if name == "area":
            return " | ".join(self._rooms)
        values: Any = self._intents.slot_lists.get(name)
        if isinstance(values, RangeSlotList):
            return numbers(values.start, min(values.stop, LARGEST_NUMBER))
        if isinstance(values, TextSlotList):
            return " | ".join(text for value in values.values if (text := self._expansion(value.text_in)))
        raise ValueError(f"a spoken sentence cannot hold {{{name}}}: it is free text")


def numbers(first: int, last: int) -> str:
    """The expansion of all whole numbers from ``first`` to ``last``, at most 100."""
    single = [UNITS[n] for n in range(first, min(last, 19) + 1)]
    tens: list[str] = []
    for ten in range(max(2, first // 10), min(last, 99) // 10 + 1):
        units = [UNITS[n] for n in range(1, 10) if first <= ten * 10 + n <= last]
        if first <= ten * 10:
            tens.append(TENS[ten] + (f" [{' | '.join(units)}]" if units else ""))
        else:
            tens.append(f"{TENS[ten]} ({' | '.join(units)})")
    return " | ".join(single + tens + (["one hundred"] if last >= 100 else []))


def _check_words_apart(sequence: Sequence) -> None:
    """Speech has whole words only: ``light[s]`` would become two."""
    for left, right in zip(sequence.items, sequence.items[1:], strict=False):
        ends = isinstance(left, TextChunk) and left.original_text[-1:].isspace()
        begins = isinstance(right, TextChunk) and right.original_text[:1].isspace()
        if not (ends or begins or _blank(left) or _blank(right)):
            raise ValueError(f"a spoken sentence needs a space between {left} and {right}")


def _blank(expression: Expression) -> bool:
    return isinstance(expression, TextChunk) and not expression.text.strip()
