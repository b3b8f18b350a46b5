"""The doctor's wake word row: a known voice says each phrase."""

from __future__ import annotations

from typing import Any

import numpy as np

from avatard.cli.examination import Examination, heard_in_quiet
from avatard.cli.findings import Finding
from avatard.runtime.config import PlatformEntry
from avatard.talk.selftest import finds

ASKERS = ("en-us+m3", "en-us", "en-us+f3", "en-gb")
"""espeak-ng's voices that say a phrase, one after another, until it is found."""


async def wake_word(visit: Examination, entry: PlatformEntry) -> list[Finding]:
    """Let a voice say each phrase, and see that it is found."""
    async with visit.opened(entry) as (detector,):
        found = {phrase: await heard_phrase(visit, detector, phrase) for phrase in visit.phrases}
    figures = {"heard": found}
    lost = [phrase for phrase, voices in found.items() if not voices]
    if not lost and found:
        return [Finding("wake word", "ok", f"{entry.platform} hears {', '.join(found)}", "", figures)]
    if not found:
        return [Finding("wake word", "warning", f"{entry.platform}: no phrase has a name to be said",
                        "name one under 'wake_word:'\n  phrases: [okay_nabu]", figures)]  # fmt: skip
    state: Any = "failed" if len(lost) == len(found) else "warning"
    fix = ("say it to the box yourself: this was a synthetic voice; then lower its threshold, or take another phrase:\n"
           "  wake_word: {platform: microwakeword, phrases: [okay_nabu]}")  # fmt: skip
    return [Finding("wake word", state, f"{entry.platform} does not hear {', '.join(lost)}", fix, figures)]


async def heard_phrase(visit: Examination, detector: Any, phrase: str) -> str:
    """The voice in which the detector hears a phrase; empty where it hears none of them."""
    for voice in ASKERS:
        sound = np.asarray(await visit.voices.say(f"{phrase.replace('_', ' ')}.", voice, 150, 45), np.int16)
        if await finds(detector, phrase, heard_in_quiet(sound, 2.0, 1.0)):
            return voice
    return ""
