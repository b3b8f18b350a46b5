"""A spoken grammar as phrases: Vosk makes a model of word pairs from them. Standard library only."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping

from avatard.api.flow import SpokenGrammar

TOKEN = re.compile(r"<[\w-]+>|[^\s()\[\]|<>]+|[()\[\]|]")
MOST = 200
"""Ways to say one part that are all written out; of more, those in which each word stands beside each next one."""

Ways = list[tuple[str, ...]]


def phrases(grammars: Iterable[SpokenGrammar]) -> list[str]:
    """Sentences in which every word stands beside what it may stand beside, or nearly."""
    found: dict[str, None] = {}
    for grammar in grammars:
        for sentence in grammar.sentences:
            tokens = iter(TOKEN.findall(sentence))
            found |= dict.fromkeys(" ".join(way) for way in _choice(tokens, grammar.rules, ()) if way)
    return list(found)


def _choice(tokens: Iterator[str], rules: Mapping[str, str], inside: tuple[str, ...]) -> Ways:
    """Read up to the bracket that closes, or the end."""
    ways: Ways = []
    parts: list[Ways] = []
    for token in tokens:
        if token in ")]":
            break
        if token == "|":
            ways += _joined(parts)
            parts = []
        elif token == "(":
            parts.append(_choice(tokens, rules, inside))
        elif token == "[":
            parts.append([*_choice(tokens, rules, inside), ()])
        elif token[0] == "<":
            name = token[1:-1]
            known = name in rules and name not in inside
            parts.append(_choice(iter(TOKEN.findall(rules[name])), rules, (*inside, name)) if known else [()])
        else:
            parts.append([(token,)])
    return ways + _joined(parts)


def _joined(parts: list[Ways]) -> Ways:
    if math.prod(map(len, parts)) <= MOST:
        rows: Iterable[tuple[tuple[str, ...], ...]] = itertools.product(*parts)
    else:
        rows = _beside(parts)
    return list(dict.fromkeys(tuple(itertools.chain.from_iterable(row)) for row in rows))


def _beside(parts: list[Ways]) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Rows in which each way to say a part stands beside each of the next part's; the rest takes turns."""
    count = itertools.count()
    last: Ways = [()]
    for at, (these, those) in enumerate(zip(parts, [*parts[1:], last], strict=True)):
        if len(these) * len(those) > MOST * MOST:
            those = those[:1]
        for this, that in itertools.product(these, those):
            row = [part[next(count) % len(part)] for part in parts]
            row[at : at + 2] = [this, that][: len(parts) - at]
            yield tuple(row)
