"""Rule expansions of the JSGF 1.0 specification → a small tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*(?:/[0-9.eE+-]+/|\{[^}]*\}|(<[^<>\s]+>|[][()|*+]|[^\s\[\]()|*+<>{}/]+))")
DEEPEST = 40
"""Rules inside rules: more is a rule that holds itself, which no recogniser of ours can take."""


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word, lower case."""

    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Exactly one of these."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """All of these in order; an empty row is silence."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Again:
    """One or more times."""

    item: Node


Node = Word | Choice | Row | Again
NOTHING = Row(())


def parse(text: str, rules: Mapping[str, str]) -> Node:
    """Parse an expansion; weights and tags are left out.

    Raises:
        ValueError: it is no expansion, names an unknown rule, or a rule holds itself.
    """
    return _Parser(text, rules, 0).whole()


class _Parser:
    def __init__(self, text: str, rules: Mapping[str, str], depth: int) -> None:
        if depth > DEEPEST:
            raise ValueError(f"rules are nested more than {DEEPEST} deep in {text!r}")
        self._text, self._rules, self._depth = text, rules, depth
        self._tokens = self._split(text)
        self._next = 0

    def whole(self) -> Node:
        node = self._choice()
        if self._next < len(self._tokens):
            raise ValueError(f"{self._tokens[self._next]!r} closes nothing in {self._text!r}")
        return node

    def _split(self, text: str) -> list[str]:
        tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise ValueError(f"{text[at:].split()[0]!r} is no JSGF in {text!r}")
            if match[1]:
                tokens.append(match[1])
            at = match.end()
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _choice(self) -> Node:
        items = [self._row()]
        while self._peek() == "|":
            self._next += 1
            items.append(self._row())
        return items[0] if len(items) == 1 else Choice(tuple(items))

    def _row(self) -> Node:
        items: list[Node] = []
        while self._peek() not in ("", "|", ")", "]"):
            items.append(self._repeated(self._item()))
        return items[0] if len(items) == 1 else Row(tuple(items))

    def _repeated(self, node: Node) -> Node:
        while self._peek() in ("*", "+"):
            node = Again(node) if self._peek() == "+" else Choice((Again(node), NOTHING))
            self._next += 1
        return node

    def _item(self) -> Node:
        token = self._peek()
        self._next += 1
        if token in ("(", "["):
            node = self._choice()
            if self._peek() != (")" if token == "(" else "]"):
                raise ValueError(f"{token!r} is not closed in {self._text!r}")
            self._next += 1
            return node if token == "(" else Choice((node, NOTHING))
        if token in ("*", "+"):
            raise ValueError(f"{token!r} repeats nothing in {self._text!r}")
        if token.startswith("<"):
            return self._rule(token[1:-1])
        return Word(token.lower().strip('"'))

    def _rule(self, name: str) -> Node:
        if name == "NULL":
            return NOTHING
        if name not in self._rules:
            raise ValueError(f"there is no rule <{name}> (in {self._text!r})")
        return _Parser(self._rules[name], self._rules, self._depth + 1).whole()
