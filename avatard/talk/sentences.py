"""Sentences out of a stream of text, in the languages that ship, as they come.

Whether a text is cut here or there into tokens changes nothing: an end is decided by the characters around it alone.
Where the stream halts behind an end that hardly anything could undo, it is not waited for what follows.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from avatard.api.flow import ReplyToken, Sentence
from avatard.talk.streams import Drain

WIDE_ENDS = "。！？；"
ENDS = ".!?;"
CLOSERS = "\"'”’»)]}」』）》】〉"
OPENERS = "¿¡"
"""They begin a sentence even where no space is before them."""
BEFORE = 40
"""Characters before a number that tell whether it is an ordinal."""
HALT = 0.1
"""Seconds without a token after which what seems to be a sentence's end is taken for one."""
SLOW = 0.8 * HALT
"""Seconds between tokens from which on that is not waited for: ten a second come now and then a little early."""
GAPS = 3
"""The last times between two tokens, of which the shortest tells how fast they come."""
LONGEST = 300
"""Characters in one sentence; a longer one is cut at a comma or a space."""
ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof sr jr st mt vs etc e.g i.e a.m p.m u.s u.k vol fig dept approx inc ltd co jan feb mar apr "
    "jun jul aug sep sept oct nov dec".split()
)
"""Words whose full stop does not end a sentence, lower case, without it."""
MORE_ABBREVIATIONS = {
    "de": frozenset(
        "bzw ca usw usf ggf evtl inkl exkl zzgl nr str hr hrn tel abs bspw std sek jh mio mrd tsd mär mrz okt "
        "dez".split()
    ),
    "es": frozenset("sra sras sres srta dra ud uds vd vds pág págs núm aprox av avda tel ene abr ago dic".split()),
    "fr": frozenset("mme mmes mlle env av bd tél janv févr juil déc p.ex".split()),
}  # fmt: skip
"""Language → more of them"""
ORDINAL = re.compile(
    r"(?:\b(?:der|die|das|dem|den|des|am|im|vom|zum|zur|beim|ab|seit|bis|jede[rsnm]?|diese[rsnm]?|heute|morgen|"
    r"(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|[mdsu]?ein(?:e[rsnm]?)?|ihre?[rsnm]?),?\s"
    r"|\d\.(?:\s(?:und|oder|bis)|,)\s(?:zum\s|im\s)?)\d{1,2}$",
    re.I,
)
"""A German number after which a full stop makes it an ordinal: am 3. Mai, im 21. Jahrhundert."""
CUT = re.compile(r"[,，、:：\s](?=[^,，、:：\s]*$)")


def has_words(text: str) -> bool:
    """Whether there is anything to say in it."""
    return any(character.isalnum() for character in text)


class SentenceSplitter:
    """Takes text in pieces and gives whole sentences."""

    def __init__(self, language: str = "en") -> None:
        """Begin with nothing."""
        self._language = language.split("-")[0]
        self._text = ""
        self._from = 0
        self._guessed = False

    @property
    def seems_ended(self) -> bool:
        """Whether a sentence has ended, unless the next characters change its sense: ``3.`` and ``e.`` may go on."""
        text, at = self._text, self._from
        if at >= len(text) or _after_end(text, at) < len(text) or not has_words(text):
            return False
        unfinished = text[at] == "." and (text[:at][-1:].isdigit() or re.search(r"(?:^|\W)\w$", text[:at]))
        return not unfinished and _ends(text + " ", at, len(text), self._language)

    def halt(self) -> list[str]:
        """No text comes for a while; return the sentence that seems to have ended."""
        if not self.seems_ended:
            return []
        sentence, self._text, self._from, self._guessed = self._text.strip(), "", 0, True
        return [sentence]

    def feed(self, text: str) -> list[str]:
        """Add text; return the sentences that are now known to have ended."""
        if self._guessed:
            text = text.lstrip(WIDE_ENDS + ENDS + CLOSERS)
            self._guessed = not text
        self._text += text
        return self._sentences(last=False)

    def finish(self) -> list[str]:
        """No more text comes; return what is left."""
        return self._sentences(last=True)

    def _sentences(self, last: bool) -> list[str]:
        found = []
        while (end := self._end(last)) is not None:
            sentence, self._text, self._from = self._text[:end].strip(), self._text[end:], 0
            if has_words(sentence):
                found.append(sentence)
        return found

    def _end(self, last: bool) -> int | None:
        """Where the first sentence ends; None while that is not known."""
        text = self._text
        at = self._from
        while at < len(text):
            if text[at] == "\n" and has_words(text[:at]):
                return at + 1
            if text[at] in WIDE_ENDS + ENDS:
                after = _after_end(text, at)
                if after is None or after >= len(text):
                    self._from = at
                    return (len(text) or None) if last else self._cut()
                if _ends(text, at, after, self._language):
                    return after
                at = after - 1 if text[after - 1] in WIDE_ENDS + ENDS else at
            at += 1
        self._from = at
        return (len(text) or None) if last else self._cut()

    def _cut(self) -> int | None:
        if len(self._text) <= LONGEST:
            return None
        match = CUT.search(self._text[:LONGEST])
        return match.end() if match and match.end() > 1 else LONGEST


def _after_end(text: str, at: int) -> int:
    """The position after the run of ends and closing quotes that begins at ``at``."""
    while at < len(text) and text[at] in WIDE_ENDS + ENDS:
        at += 1
    while at < len(text) and text[at] in CLOSERS:
        at += 1
    return at


def _ends(text: str, at: int, after: int, language: str) -> bool:
    """Whether the end at ``at`` ends a sentence, knowing the character at ``after``."""
    run = text[at:after].rstrip(CLOSERS)
    if any(c in WIDE_ENDS for c in run):
        return True
    if text[after] in OPENERS:
        return True
    if not text[after].isspace() or run.startswith(".."):
        return False
    if run != ".":
        return True
    word = re.split(r"[\s\"'(\[“‘¿¡«„]", text[:at])[-1]
    bare = word.lower()
    single_initial = len(word) == 1 and word.isalpha() and (language == "de" or (word.isupper() and word != "I"))
    numbered = word.isdigit() and not has_words(text[: at - len(word)].rpartition("\n")[2])
    if language == "de" and ORDINAL.search(text[max(0, at - BEFORE) : at]):
        return False
    short = bare in ABBREVIATIONS or bare in MORE_ABBREVIATIONS.get(language, ())
    return not (short or single_initial or numbered or re.fullmatch(r"(?:[A-Za-z]\.)+[A-Za-z]", word))


async def split(tokens: Drain[ReplyToken], language: str) -> AsyncGenerator[Sentence, None]:
    """Turn a reply's tokens into sentences, each as soon as it is known to have ended; an aside is one by itself."""
    splitter = SentenceSplitter(language)
    numbers = itertools.count()
    came, gaps = time.monotonic(), deque([0.0], maxlen=GAPS)
    async with aclosing(tokens):
        while True:
            # Where tokens are that slow in any case, to wait tells nothing: what would go on comes later still.
            halt = HALT if min(gaps) < SLOW else 0.0
            try:
                async with asyncio.timeout(halt if splitter.seems_ended else None):
                    token = await anext(tokens, None)
            except TimeoutError:
                for text in splitter.halt():
                    yield Sentence(text, next(numbers), language)
                continue
            gaps.append(time.monotonic() - came)
            came += gaps[-1]
            if token is None:
                break
            if token.aside:
                yield Sentence(token.text, next(numbers), language, aside=True)
                continue
            for text in splitter.feed(token.text):
                yield Sentence(text, next(numbers), language)
    for text in splitter.finish():
        yield Sentence(text, next(numbers), language)
