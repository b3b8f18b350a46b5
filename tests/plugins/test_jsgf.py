"""Which texts are sentences of a spoken grammar, and which of them may go on."""

from __future__ import annotations

import pytest

from avatard.api.flow import SpokenGrammar
from avatard.plugins.pocketsphinx.engine import PocketsphinxEngine
from avatard.plugins.pocketsphinx.jsgf import Sentences

GRAMMAR = SpokenGrammar(
    {"state": "on | off", "room": "kitchen | living room", "number": "ten | twenty | twenty one",
     "unit": "minute | minutes"},
    (
        "what time is it", "turn <state> the lights [in the <room>]", "(set | start) a timer for <number> <unit>",
        "volume <number> [percent]", "stop [it]", "stop talking",
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "whole", "final"),
    [
        ("what time is it", True, True), ("what time is", False, False), ("", False, False), ("nonsense", False, False),
        ("turn on the lights", True, False), ("turn on the lights in the living room", True, True),
        ("turn on the lights in the living", False, False), ("set a timer for twenty minutes", True, True),
        ("set a timer for twenty minute", True, True), ("volume twenty", True, False),
        ("volume twenty one", True, False),
        ("volume twenty one percent", True, True), ("stop", True, False), ("stop it", True, True),
    ],
)  # fmt: skip
def test_sentences(text: str, whole: bool, final: bool) -> None:
    sentences = Sentences(GRAMMAR)
    assert (sentences.whole(text), sentences.final(text)) == (whole, final)


def test_an_empty_grammar_has_none() -> None:
    assert not Sentences(SpokenGrammar()).whole("anything")


def test_the_decoder_learns_what_is_said_and_nothing_else() -> None:
    grammar = SpokenGrammar({}, ("read it", "stop the frobnicator"))
    engine = PocketsphinxEngine([grammar], ["ok nabu"], -0.1)
    decoder = engine._decoder
    assert [decoder.lookup_word(word) for word in ("read", "read(2)", "nabu")] == [
        "R EH D", "R IY D", "N AA B UW"]  # fmt: skip
    assert decoder.lookup_word("zebra") is None
    assert engine.missing() == ["frobnicator"]
