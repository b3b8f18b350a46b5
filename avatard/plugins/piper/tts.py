"""Piper as a speech synthesizer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from avatard.api.context import Model, PluginContext
from avatard.api.errors import NotReady, Refused, StageFailed
from avatard.api.flow import Sentence, SpeechAudio
from avatard.api.stages import SpeechSynthesizer
from avatard.plugins.piper import voices
from avatard.plugins.piper.config import TtsConfig
from avatard.plugins.piper.engine import PiperEngine
from avatard.plugins.piper.voices import Card

MEGABYTES = 45
"""Measured: PSS of the child with a tiny voice; a voice takes about twice its file on top (estimated)."""


class PiperSynthesizer:
    """Speaks through the child."""

    def __init__(self, model: Model, cards: dict[str, Card], chosen: str, speaker: int | None, language: str) -> None:
        """Use the loaded child; ``chosen`` speaks, as this ``speaker``."""
        self._model, self._cards, self._first, self._language = model, cards, chosen, language
        self._speaker = speaker
        self.chosen = chosen
        self.choices = tuple(cards)

    async def choose(self, name: str) -> None:
        """Speak with another voice from the next sentence on."""
        if name not in self._cards:
            raise Refused(f"piper has no voice {name!r}; there are {', '.join(self.choices)}")
        try:
            await self._model.call("take", str(self._cards[name].path))
        except NotReady as err:
            raise Refused(str(err)) from err
        self.chosen = name

    async def speak(self, sentence: Sentence) -> AsyncIterator[SpeechAudio]:
        """Yield the sentence's sound clause by clause."""
        name = self._voice_for(sentence.language)
        card, gain = self._cards[name], 0.0
        speaker = self._speaker if name == self._first else None
        # A call for each clause, not one stream: whoever reads slowly must not hold up who else speaks.
        for numbers in await self._model.call("clauses", sentence.text, str(card.path)):
            data, gain = await self._model.call("sound", numbers, str(card.path), speaker, gain)
            yield SpeechAudio(sentence, np.frombuffer(data, np.int16), card.rate, False)
        yield SpeechAudio(sentence, np.zeros(0, np.int16), card.rate, True)

    def _voice_for(self, language: str) -> str:
        """The chosen voice, or for a sentence in another language one that speaks it, where there is one."""
        if language in (self._language, self._cards[self.chosen].language):
            return self.chosen
        return next((name for name, card in self._cards.items() if card.language == language), self.chosen)


def gathered(path: Path, folder: Path) -> tuple[dict[str, Card], str]:
    """The voices by name, and the name of the one that lies at ``path``.

    Raises:
        NotReady: that one cannot be had; the others are only left out.
    """
    cards = {path.stem: voices.read(path)}
    for name, other in voices.find(folder).items():
        try:
            cards.setdefault(name, voices.read(other))
        except NotReady:
            continue  # whoever configures it is told
    return cards, path.stem


@asynccontextmanager
async def async_setup(context: PluginContext, config: TtsConfig) -> AsyncIterator[SpeechSynthesizer]:
    """Start the child with its voice; leaving the block ends it."""
    folder = (config.folder or context.state).expanduser()
    path = context.model_in(lambda: voices.located(config.voice, folder), config.voice, "tts-piper", "voice")
    cards, chosen = gathered(path, folder)
    card = cards[chosen]
    speaker = voices.speaker_of(card, config.speaker)
    size = card.path.stat().st_size / 1e6
    model = context.model(
        PiperEngine, MEGABYTES + 2 * size, voice=str(card.path), speed=config.speed, noise=config.noise,
        rhythm=config.rhythm, threads=config.threads,
    )  # fmt: skip
    try:
        await model.load()
    except StageFailed as err:  # over some files the library ends its process
        raise NotReady(f"piper: {card.path}: cannot be loaded ({err.reason}); get the voice again") from err
    yield PiperSynthesizer(model, cards, chosen, speaker, context.language)
