"""Spoken grammars as JSGF text for the decoder, and as a pattern that knows complete sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from avatard.api.flow import SpokenGrammar

TOKEN = re.compile(r"<[\w-]+>|[^\s()\[\]|<>]+|[()\[\]|]")


def joined(grammars: Iterable[SpokenGrammar]) -> SpokenGrammar:
    """All responders' grammars as one."""
    rules: dict[str, str] = {}
    sentences: list[str] = []
    for grammar in grammars:
        rules |= grammar.rules
        sentences += grammar.sentences
    return SpokenGrammar(rules, tuple(sentences))


def words(grammar: SpokenGrammar, phrases: Iterable[str]) -> set[str]:
    """Every word that can be said."""
    texts = [*grammar.rules.values(), *grammar.sentences, *phrases]
    return {token for text in texts for token in TOKEN.findall(text) if token[0] not in "<()[]|"}


def document(grammar: SpokenGrammar, phrases: Sequence[str]) -> str:
    """The JSGF grammar: an optional wake phrase, then one sentence."""
    wake = f"[{' | '.join(phrases)}] " if phrases else ""
    rules = "".join(f"<{name}> = {expansion};\n" for name, expansion in grammar.rules.items())
    sentences = " | ".join(f"({sentence})" for sentence in grammar.sentences)
    return f"#JSGF V1.0;\ngrammar avatard;\npublic <request> = {wake}<sentence>;\n<sentence> = {sentences};\n{rules}"


class Sentences:
    """Knows which texts are sentences of a grammar, and which could go on."""

    def __init__(self, grammar: SpokenGrammar) -> None:
        """Make one pattern of the grammar, in which each word is followed by a space."""
        import regex

        every = "|".join(f"(?:{_regex(sentence, grammar.rules)})" for sentence in grammar.sentences)
        self._pattern: Any = regex.compile(every or "(?!)")
        self._initials = sorted({word[0] for word in words(grammar, ())})

    def whole(self, text: str) -> bool:
        """Whether it is a sentence."""
        return self._pattern.fullmatch(text + " ") is not None

    def final(self, text: str) -> bool:
        """Whether it is a sentence, and not the beginning of a longer one."""
        return self.whole(text) and not any(
            self._pattern.fullmatch(f"{text} {initial}", partial=True) for initial in self._initials
        )


def literal(grammar: SpokenGrammar) -> list[str]:
    """The sentences without a choice in them."""
    return [s for s in grammar.sentences if not re.search(r"[<\[(|]", s)]


def _regex(expansion: str, rules: Mapping[str, str]) -> str:
    parts = []
    for token in TOKEN.findall(expansion):
        if token[0] == "<":
            parts.append(f"(?:{_regex(rules[token[1:-1]], rules)})")
        elif token == "(" or token == "[":
            parts.append("(?:")
        elif token == ")" or token == "|":
            parts.append(token)
        elif token == "]":
            parts.append(")?")
        else:
            parts.append(re.escape(token) + " ")
    return "".join(parts)
