"""A conversation with recordings: what ``demo`` shows and ``bench turn`` measures."""

from __future__ import annotations

import asyncio
import dataclasses
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.flow import LISTEN_RATE, Samples
from avatard.api.news import Event, MicrophoneEnded, TurnFinished, TurnReport
from avatard.runtime.config import Configuration
from avatard.runtime.house import House, open_house
from avatard.runtime.model import Granting
from avatard.runtime.process import Usage
from avatard.runtime.worker import ChildModel

QUESTIONS = ("what time is it", "turn on the kitchen lights", "what can you do")
"""The demo's own conversation."""
WAKE, GAP = "okay nabu", 0.5
"""How it is woken, and seconds of silence before the question."""
ASKER = "en-us+m3"
"""espeak-ng voice of the person who asks; the answers have another."""


@dataclass
class Conversation:
    """What came of it."""

    turns: list[TurnReport] = field(default_factory=list)
    engines: dict[str, str] = field(default_factory=dict)
    process: dict[str, float] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """The contents of report.json."""
        turns = []
        for turn in self.turns:
            entry = dataclasses.asdict(turn)
            turns.append({k: v for k, v in entry.items() if k != "turn" and not (k == "error" and not v)})
        return {"turns": turns, "engines": self.engines, "process": self.process}


async def converse(configuration: Configuration, tell: Callable[[Event], None]) -> Conversation:
    """Run the whole daemon until its recordings have ended and the last answer was given."""
    result = Conversation()
    usage = Usage()
    async with open_house(configuration) as house:
        following = asyncio.ensure_future(usage.follow())
        try:
            await _until_ended(house, result, tell)
        finally:
            following.cancel()
        result.engines = house.engines()
    result.process = usage.report()
    return result


async def _until_ended(house: House, result: Conversation, tell: Callable[[Event], None]) -> None:
    ended = False
    with house.feed.subscribe(4096) as news:
        async for event in news:
            tell(event)
            if isinstance(event, TurnFinished):
                result.turns.append(event.report)
            ended = ended or isinstance(event, MicrophoneEnded)
            if ended and house.place.current is None and not news.pending:
                return


async def record_questions(folder: Path) -> list[Path]:
    """Let espeak-ng ask the demo's questions; return the recordings (16 kHz WAV)."""
    from avatard.runtime.config import built_in

    entry = built_in("espeak", "tts")
    engine = f"{entry.manifest.package}.engine:EspeakEngine"
    model = ChildModel(engine, {"voice": ASKER, "rate": 150, "pitch": 45}, 18, "tts", "espeak", Granting())
    paths = []
    try:
        rate = await model.call("sample_rate")
        for number, question in enumerate(QUESTIONS, 1):
            sound = [_quiet(0.4), await _spoken(model, WAKE, rate), _quiet(GAP),
                     await _spoken(model, question, rate), _quiet(0.3)]  # fmt: skip
            paths.append(folder / f"question{number}.wav")
            write_wav(paths[-1], np.concatenate(sound))
    finally:
        await model.unload()
    return paths


async def _spoken(model: ChildModel, text: str, rate: int) -> Samples:
    import soxr

    pieces = [piece async for piece in model.stream("speak", text)]
    samples = np.frombuffer(b"".join(pieces), np.int16)
    resampled: Samples = soxr.resample(samples, rate, LISTEN_RATE).astype(np.int16)
    return resampled


def _quiet(seconds: float) -> Samples:
    return np.random.default_rng(1).integers(-4, 5, int(seconds * LISTEN_RATE)).astype(np.int16)


def write_wav(path: Path, samples: Samples) -> None:
    """Write 16 kHz mono int16."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, LISTEN_RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
