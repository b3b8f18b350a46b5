"""Spoken grammars as JSGF text for the decoder, and as a pattern that knows complete sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

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


def pattern(grammar: SpokenGrammar) -> re.Pattern[str]:
    """Matches a complete sentence in which each word is followed by a space."""
    return re.compile("|".join(f"(?:{_regex(s, grammar.rules)})" for s in grammar.sentences) or "(?!)")


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
