"""What is written for the eye, as it is said."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatard.api.flow import ReplyToken
from avatard.talk.plain import plain, said
from avatard.talk.sentences import split


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**Bold** and *soft* and `code` and ~~gone~~.", "Bold and soft and code and gone."),
        ("### Weather today", "Weather today"),
        ("- [x] Buy milk", "Buy milk"),
        ("> It is *late*.", "It is late."),
        ("See [the manual](https://example.org/a_b?c=d) first.", "See the manual first."),
        ("More at https://example.org/x?y=1#z.", "More at."),
        ("Well done! 🎉👍🏽 Bye ❤️", "Well done! Bye"),
        ("It is 21.5°C at 60 % now.", "It is 21.5 degrees Celsius at 60 percent now."),
        ("The wind blows 30 km/h, 5 m/s at most.", "The wind blows 30 kilometres an hour, 5 metres a second at most."),
        ("It costs $5 or €3.50.", "It costs 5 dollars or 3.50 euros."),
        ("Wait 5-10 min & rest.", "Wait 5 to 10 minutes and rest."),
        ("Call 555-1234-99 today.", "Call 555-1234-99 today."),
        ("On 2026-11-25 at 10:30.", "On 2026-11-25 at 10:30."),
        ("snake_case and 3 * 4 stay words.", "snake_case and 3 4 stay words."),
        ("| a | b |", "a b"),
        ("<b>Hello</b> you", "Hello you"),
        ("x" + "*" * 50, "x"),
    ],
)
def test_english(written: str, spoken: str) -> None:
    assert plain(written, "en") == spoken, plain(written, "en")


@pytest.mark.parametrize(
    ("written", "language", "spoken"),
    [
        ("Es sind 20 °C & 50% Feuchte.", "de", "Es sind 20 Grad Celsius und 50 Prozent Feuchte."),
        ("Hace 20°C.", "es-MX", "Hace 20 grados Celsius."),
        ("Il fait 20 °C, 5–7 km.", "fr", "Il fait 20 degrés Celsius, 5 à 7 kilomètres."),
        ("湿度是50%。", "zh", "湿度是百分之50。"),
        ("20 °C", "xx", "20 °C"),
    ],
)
def test_other_languages(written: str, language: str, spoken: str) -> None:
    assert plain(written, language) == spoken, plain(written, language)


async def spoken(text: str) -> list[str]:
    async def tokens() -> AsyncIterator[ReplyToken]:
        for at in range(0, len(text), 3):
            yield ReplyToken(text[at : at + 3])

    return [sentence.text async for sentence in said(split(tokens(), "en"))]


async def test_code_between_fences_is_not_read_aloud() -> None:
    reply = "Here it is:\n```python\nprint('a. b')\nx = 1\n```\nThat prints. Good?"
    assert await spoken(reply) == ["Here it is:", "That prints.", "Good?"]


async def test_a_list_is_its_items() -> None:
    reply = "You need:\n\n1. Milk\n2. Two eggs\n10. Salt & pepper\n\n* Bread\n"
    assert await spoken(reply) == ["You need:", "1. Milk", "2. Two eggs", "10. Salt and pepper", "Bread"]


async def test_what_has_no_words_is_no_sentence_and_the_numbers_have_no_gap() -> None:
    async def tokens() -> AsyncIterator[ReplyToken]:
        yield ReplyToken("One. https://example.org/ 🎉.\n---\nTwo.")

    sentences = [sentence async for sentence in said(split(tokens(), "en"))]
    assert [(s.index, s.text) for s in sentences] == [(0, "One."), (1, "Two.")]


@given(st.text(max_size=200), st.sampled_from(["en", "de", "zh", "xx"]))
def test_nothing_breaks_it_and_twice_is_once(text: str, language: str) -> None:
    once = plain(text, language)
    assert "http://" not in once and "**" not in once and "`" not in once
    assert "\n" not in once and once == once.strip()
