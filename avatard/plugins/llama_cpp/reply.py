"""A reply as it comes: what it is, and where it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from contextlib import closing
from typing import Literal

CALLS = ("{", "<tool_call>", "```")
"""How a call begins, whatever the model was trained to write."""
THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)


def kind_of(text: str) -> Literal["words", "call", ""]:
    """What a reply is, as far as it has come; empty while that is open."""
    rest = THOUGHT.sub("", text, count=1).lstrip()
    if rest.startswith(CALLS):
        return "call"
    if rest.startswith("<think>") or any(mark.startswith(rest) for mark in (*CALLS, "<think>")):
        return ""
    return "words"


def is_whole(text: str) -> bool:
    """Whether it is JSON that has ended."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def until(pieces: Generator[str, None, None], marks: tuple[str, ...]) -> Generator[str, None, None]:
    """Pass on what comes before the first of the marks."""
    held = ""
    with closing(pieces):
        for piece in pieces:
            held += piece
            found = [at for mark in marks if (at := held.find(mark)) >= 0]
            if found:
                yield held[: min(found)]
                return
            begun = next((at for at in range(len(held)) if any(m.startswith(held[at:]) for m in marks)), len(held))
            yield held[:begun]
            held = held[begun:]
    yield held
