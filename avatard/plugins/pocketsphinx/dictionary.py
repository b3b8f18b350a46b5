"""CMU's pronouncing dictionary, of which a decoder is taught only what it needs: whole, it takes 21 MB."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Any


def learn(decoder: Any, words: Set[str]) -> set[str]:
    """Teach a decoder without dictionary how these words are said; return those that the dictionary knows."""
    from pocketsphinx import get_model_path

    known = set()
    with Path(get_model_path("en-us/cmudict-en-us.dict")).open(encoding="utf-8") as lines:
        for line in lines:
            entry, _, phones = line.partition(" ")
            word = entry.partition("(")[0]  # "read(2)" is another way to say "read"
            if word in words:
                decoder.add_word(entry, phones.strip(), False)
                known.add(word)
    return known
