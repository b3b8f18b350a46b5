"""A grammar as the smallest deterministic automaton: what the recogniser searches, and where a sentence may end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .expansions import Again, Choice, Node, Row, Word

LARGEST = 25_000
"""Transitions; 45 MB in the recogniser."""


class TooLarge(ValueError):
    """The grammar would need too much memory."""


@dataclass(frozen=True, slots=True)
class Automaton:
    """Words lead from state to state; it starts in state 0."""

    arcs: tuple[dict[str, int], ...]
    """state → word → next state"""
    final: frozenset[int]

    @property
    def words(self) -> set[str]:
        """Every word on a way from start to end."""
        return {word for state in self.arcs for word in state}

    @property
    def size(self) -> int:
        """Transitions."""
        return sum(map(len, self.arcs))

    def state(self, words: Iterable[str]) -> int | None:
        """Where these words lead, or None where the grammar does not have them."""
        state: int | None = 0
        for word in words:
            state = None if state is None else self.arcs[state].get(word)
        return state

    def completions(self, state: int, most: int) -> list[tuple[str, ...]]:
        """The shortest ways from a state to the end of a sentence: all of the same length, at most ``most`` + 1."""
        ways: list[tuple[tuple[str, ...], int]] = [((), state)]
        seen = 0
        while ways and seen < LARGEST:
            ended = [words for words, at in ways if at in self.final]
            if ended:
                return ended[: most + 1]
            ways = [((*words, word), to) for words, at in ways for word, to in self.arcs[at].items()]
            seen += len(ways)
        return []


def build(sentences: Iterable[Node], speakable: Callable[[str], bool]) -> Automaton:
    """Join sentences into one automaton, without the words that have no pronunciation.

    Raises:
        TooLarge: it has more than ``LARGEST`` transitions.
    """
    nfa = _Nfa(speakable)
    end = nfa.state()
    for sentence in sentences:
        nfa.join(end, nfa.add(sentence, 0))
    return _smallest(*_deterministic(nfa, end))


class _Nfa:
    """A tree of expansions unrolled into states, with silent steps."""

    def __init__(self, speakable: Callable[[str], bool]) -> None:
        self.silent: list[list[int]] = [[]]
        self.spoken: list[list[tuple[str, int]]] = [[]]
        self._speakable = speakable

    def state(self) -> int:
        if len(self.silent) > 8 * LARGEST:
            raise TooLarge(f"more than {LARGEST} transitions")
        self.silent.append([])
        self.spoken.append([])
        return len(self.silent) - 1

    def join(self, to: int, *sources: int) -> None:
        for source in sources:
            self.silent[source].append(to)

    def add(self, node: Node, source: int) -> int:
        """Add a node after a state; return the state after it."""
        if isinstance(node, Row):
            for item in node.items:
                source = self.add(item, source)
            return source
        if isinstance(node, Choice):
            ends = [self.add(item, source) for item in node.items]
            target = self.state()
            self.join(target, *ends)
            return target
        if isinstance(node, Again):
            begin = self.state()
            self.join(begin, source)
            end = self.add(node.item, begin)
            self.join(begin, end)
            return end
        assert isinstance(node, Word)
        target = self.state()
        if self._speakable(node.text):
            self.spoken[source].append((node.text, target))
        return target

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        found, todo = set(states), list(states)
        while todo:
            for to in self.silent[todo.pop()]:
                if to not in found:
                    found.add(to)
                    todo.append(to)
        return frozenset(found)


def _deterministic(nfa: _Nfa, end: int) -> tuple[list[dict[str, int]], set[int]]:
    start = nfa.closure([0])
    numbers, todo = {start: 0}, [start]
    arcs: list[dict[str, int]] = [{}]
    size = 0
    while todo:
        here = todo.pop()
        steps: dict[str, set[int]] = {}
        for state in here:
            for word, to in nfa.spoken[state]:
                steps.setdefault(word, set()).add(to)
        size += len(steps)
        if size > 4 * LARGEST:
            raise TooLarge(f"more than {LARGEST} transitions")
        for word, targets in steps.items():
            target = nfa.closure(targets)
            if target not in numbers:
                numbers[target] = len(arcs)
                arcs.append({})
                todo.append(target)
            arcs[numbers[here]][word] = numbers[target]
    return arcs, {number for states, number in numbers.items() if end in states}


def _smallest(arcs: list[dict[str, int]], final: set[int]) -> Automaton:
    """Drop what leads nowhere, then merge states that have the same future (Moore's refinement)."""
    alive = _alive(arcs, final)
    arcs = [{word: to for word, to in state.items() if to in alive} for state in arcs]
    kinds = [int(state in final) for state in range(len(arcs))]
    count = 0
    while len(set(kinds)) != count:
        count = len(set(kinds))
        seen: dict[tuple[int, tuple[tuple[str, int], ...]], int] = {}
        kinds = [
            seen.setdefault((kinds[n], tuple(sorted((w, kinds[to]) for w, to in arcs[n].items()))), len(seen))
            for n in range(len(arcs))
        ]
    merged: list[dict[str, int]] = [{} for _ in range(count)]
    for state, kind in enumerate(kinds):
        merged[kind] = {word: kinds[to] for word, to in arcs[state].items()}
    result = Automaton(tuple(merged), frozenset(kinds[state] for state in final))
    if result.size > LARGEST:
        raise TooLarge(f"{result.size} transitions; the most is {LARGEST}")
    return result


def _alive(arcs: list[dict[str, int]], final: set[int]) -> set[int]:
    sources: list[list[int]] = [[] for _ in arcs]
    for state, steps in enumerate(arcs):
        for to in steps.values():
            sources[to].append(state)
    alive, todo = set(final), list(final)
    while todo:
        for state in sources[todo.pop()]:
            if state not in alive:
                alive.add(state)
                todo.append(state)
    return alive
