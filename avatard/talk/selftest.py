"""Whether the wake words are still heard: each is said by a few voices to a detector's fresh stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from avatard.api.flow import LISTEN_RATE, AudioFrame, Samples
from avatard.api.stages import WakeDetector
from avatard.talk.recorded import frames_of, level

LOUDNESS, NOISE = 4000.0, 15.0
"""Root mean square of the voice, and of what is heard before and after it."""
BEFORE, AFTER = 2.0, 1.0
"""Seconds"""

Take = tuple[str, int]
"""espeak-ng's voice, and words a minute."""
TAKES: tuple[Take, ...] = (
    ("en-us+m1", 140), ("en-029+m3", 140), ("en-gb-scotland+f2", 140), ("en-029+f4", 140), ("en-us+m7", 140),
    ("en-us+m5", 165), ("en-029+f3", 165), ("en-gb-x-rp", 165), ("en-gb-scotland+m1", 165), ("en-us+f3", 165),
)  # fmt: skip
"""No detector hears all of these; each built-in phrase is heard from one of them."""

Say = Callable[[str, str, int], Awaitable[NDArray[np.float64]]]
"""Speaks a text with a voice at so many words a minute: 16 kHz, int16's scale."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How it went with one phrase."""

    phrase: str
    outcome: Literal["heard", "missed", "untested"]
    """``untested``: no voice of ours was ever heard to say it, so that nothing can be told from that."""
    take: Take | None = None
    """Who was heard."""


async def hears(wake: WakeDetector, phrase: str, sound: NDArray[np.float64]) -> bool:
    """Whether the detector finds the phrase (``okay_nabu`` or ``okay nabu``) in a sound of 16 kHz."""
    return await finds(wake, phrase, frames_of(_heard(sound)))


async def finds(wake: WakeDetector, phrase: str, frames: Iterable[AudioFrame]) -> bool:
    """Whether a fresh stream of the detector finds the phrase in these frames."""
    async with wake.open() as stream:
        for frame in frames:
            found = await stream.feed(frame)
            if found is not None and _plain(found.phrase) == _plain(phrase):
                return True
    return False


async def tried(
    wake: WakeDetector, phrases: Iterable[str], say: Say, expected: Iterable[str], known: Mapping[str, Take],
) -> list[Tried]:  # fmt: skip
    """Say each phrase until one voice is heard.

    Args:
        wake: hears.
        phrases: what wakes it.
        say: the voices.
        expected: phrases that one of the voices is heard to say wherever the detector works.
        known: who was heard to say a phrase earlier: tried first, and missed where nobody is heard any more.
    """
    results = []
    expected = {_plain(phrase) for phrase in expected}
    for phrase in phrases:
        first = [known[phrase]] if phrase in known else []
        for voice, rate in (*first, *TAKES):
            if await hears(wake, phrase, await say(f"{_plain(phrase)}.", voice, rate)):
                results.append(Tried(phrase, "heard", (voice, rate)))
                break
        else:
            should = phrase in known or _plain(phrase) in expected
            results.append(Tried(phrase, "missed" if should else "untested"))
    return results


def _plain(phrase: str) -> str:
    return phrase.replace("_", " ").lower()


def _heard(sound: NDArray[np.float64]) -> Samples:
    """The sound as loud as a person, with a quiet room round it."""
    quiet = np.random.default_rng(1)
    parts = [
        np.zeros(int(BEFORE * LISTEN_RATE)), sound * (LOUDNESS / level(sound)), np.zeros(int(AFTER * LISTEN_RATE)),
    ]  # fmt: skip
    whole = np.concatenate(parts)
    return np.clip(whole + quiet.normal(0, NOISE, len(whole)), -32768, 32767).astype(np.int16)
