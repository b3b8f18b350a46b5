from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatard.api.flow import ReplyToken
from avatard.cli.replies import REPLIES, tokens_of
from avatard.talk import sentences as module
from avatard.talk.sentences import HALT, SentenceSplitter, has_words
from avatard.talk.streams import Drain


def split(text: str, cuts: list[int] | None = None, language: str = "en") -> list[str]:
    splitter, found, begin = SentenceSplitter(language), [], 0
    for cut in [*sorted(c % (len(text) + 1) for c in cuts or []), len(text)]:
        found += splitter.feed(text[begin:cut])
        begin = max(begin, cut)
    return found + splitter.finish()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("I am here. Go on. Now", ["I am here.", "Go on.", "Now"]),
        ("Pi is 3.14 or so. Good", ["Pi is 3.14 or so.", "Good"]),
        ("Mr. Smith, e.g. this one. Yes", ["Mr. Smith, e.g. this one.", "Yes"]),
        ("Well… maybe... not. Yes", ["Well… maybe... not.", "Yes"]),
        ('He said "Stop!" Then he left.', ['He said "Stop!"', "Then he left."]),
        ("他说：“你好。”然后走了！真的吗？好；行", ["他说：“你好。”", "然后走了！", "真的吗？", "好；", "行"]),
        ("one\ntwo", ["one", "two"]),
        ("First; second? Third!", ["First;", "second?", "Third!"]),
        ("... !!! ?", []),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


GERMAN = "Wir sehen uns am 3. Mai. Es ist das 21. Jahrhundert. Die Antwort ist 42. Und?"


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        ("de", GERMAN, ["Wir sehen uns am 3. Mai.", "Es ist das 21. Jahrhundert.", "Die Antwort ist 42.", "Und?"]),
        ("de-AT", "Am Mittwoch, 3. Mai, d. h. bald. Vom 3. bis 5. Juni. Ja", [
            "Am Mittwoch, 3. Mai, d. h. bald.", "Vom 3. bis 5. Juni.", "Ja"]),
        ("de", "Das kostet ca. 3 Euro bzw. mehr. Gut so. Ja", ["Das kostet ca. 3 Euro bzw. mehr.", "Gut so.", "Ja"]),
        ("en", GERMAN[:24], ["Wir sehen uns am 3.", "Mai."]),
        ("es", "¡Hola!¿Qué tal? El Sr. Ruiz y la Sra. Gil. ¿Sí? Sí", [
            "¡Hola!", "¿Qué tal?", "El Sr. Ruiz y la Sra. Gil.", "¿Sí?", "Sí"]),
        ("fr", "Bonjour ! Ça va ? M. Durand et Mme. Roy. Oui", [
            "Bonjour !", "Ça va ?", "M. Durand et Mme. Roy.", "Oui"]),
        ("zh", "你好！有什么可以帮你的吗？好。", ["你好！", "有什么可以帮你的吗？", "好。"]),
    ],
)  # fmt: skip
def test_where_sentences_end_in_other_languages(language: str, text: str, sentences: list[str]) -> None:
    assert split(text, language=language) == sentences, split(text, language=language)
    assert split(text, list(range(len(text))), language) == sentences


def test_a_sentence_comes_as_soon_as_its_end_is_known() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("I am here.") == []
    assert splitter.feed(" G") == ["I am here."]
    assert splitter.feed("o on。好") == ["Go on。"]


def halting(tokens: list[str], language: str) -> list[str]:
    """The stream halts behind each token."""
    splitter, found = SentenceSplitter(language), []
    for token in tokens:
        found += splitter.feed(token)
        found += splitter.halt()
    return found + splitter.finish()


@pytest.mark.parametrize("kind", REPLIES)
def test_a_halt_after_each_token_cuts_no_sentence(kind: str) -> None:
    language, sentences = REPLIES[kind]
    tokens = [token for sentence in sentences for token in tokens_of(sentence)]
    assert "".join(tokens) == "".join(sentences)
    assert halting(tokens, language) == [sentence.strip() for sentence in sentences], tokens


@pytest.mark.parametrize(
    ("text", "seems"),
    [
        ("I am here.", True), ("Really?", True), ('He said "Stop!"', True), ("好。", True), ("I am here", False),
        ("It costs 3.", False), ("Dr.", False), ("That is e.", False), ("That is e.g.", False), ("Well...", False),
        ("From the U.S.", False), ("Version 2", False), ("...", False), ("", False),
    ],
)  # fmt: skip
def test_what_seems_to_be_an_end_where_nothing_follows(text: str, seems: bool) -> None:
    splitter = SentenceSplitter()
    assert splitter.feed(text) == []
    assert splitter.seems_ended is seems, text
    assert splitter.halt() == ([text] if seems else [])


def test_a_quotation_mark_that_comes_late_begins_no_sentence() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed('He said "Stop!') == [] and splitter.halt() == ['He said "Stop!']
    assert splitter.feed('"') == [] and splitter.feed(' "Why?" I asked. So') == ['"Why?"', "I asked."]


@given(st.text(alphabet="aB 1.,!?;。！¿\"”\n…", max_size=120), st.lists(st.integers(0, 200), max_size=12))
def test_no_word_is_lost_where_the_stream_halts(text: str, cuts: list[int]) -> None:
    ends = sorted({cut % (len(text) + 1) for cut in cuts} | {len(text)})
    found = halting([text[a:b] for a, b in zip([0, *ends], ends, strict=False)], "en")
    assert [c for s in found for c in s if c.isalnum()] == [c for c in text if c.isalnum()]
    assert all(has_words(s) for s in found)


@given(
    st.text(alphabet="aB 1.,!?;。！¿\"”\n…", max_size=120), st.lists(st.integers(0, 200), max_size=12),
    st.sampled_from(["en", "de", "es"]),
)  # fmt: skip
def test_how_the_text_is_cut_into_tokens_changes_nothing(text: str, cuts: list[int], language: str) -> None:
    assert split(text, cuts, language) == split(text, language=language)


@given(st.text(max_size=900))
def test_no_word_is_lost_and_none_is_too_long(text: str) -> None:
    found = split(text)
    assert [c for s in found for c in s if c.isalnum()] == [c for c in text if c.isalnum()]
    assert all(has_words(s) for s in found)


def test_text_without_an_end_is_cut() -> None:
    assert all(len(s) <= 300 for s in split("word, " * 400)[:-1])
    assert len(split("x" * 1000)) == 4


@pytest.mark.parametrize(("gap", "waited"), [(0.01, HALT), (1.0, 0.0)])
async def test_where_tokens_are_slow_it_waits_for_none(
    monkeypatch: pytest.MonkeyPatch, gap: float, waited: float
) -> None:
    """The next one comes no sooner than that for which it would wait."""
    now, waits = [0.0], []

    def timeout(seconds: float | None) -> asyncio.Timeout:
        waits.append(seconds)
        return asyncio.timeout(seconds)

    class Slow:
        def __init__(self, tokens: Iterator[str]) -> None:
            self._tokens = tokens

        async def __anext__(self) -> ReplyToken:
            now[0] += gap
            if (token := next(self._tokens, None)) is None:
                raise StopAsyncIteration
            return ReplyToken(token)

        async def aclose(self) -> None: ...

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(timeout=timeout))
    tokens = cast("Drain[ReplyToken]", Slow(iter(tokens_of("It is open. Shall I close it?"))))
    found = [sentence.text async for sentence in module.split(tokens, "en")]
    assert found == ["It is open.", "Shall I close it?"]
    assert [seconds for seconds in waits if seconds is not None] == [waited, waited]
