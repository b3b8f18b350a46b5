"""A tone for each word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from avatard.api.context import PluginContext
from avatard.api.errors import StageFailed
from avatard.api.flow import Sentence, SpeechAudio
from avatard.api.stages import SpeechSynthesizer
from avatard.plugins.scripted.config import TtsConfig

RATE = 16_000
"""Hz"""


class ScriptedSynthesizer:
    """Tones instead of words."""

    def __init__(self, config: TtsConfig) -> None:
        """Know how long a word takes."""
        self._config = config
        self.choices = config.voices
        self.chosen = config.voices[0] if config.voices else ""

    async def choose(self, name: str) -> None:
        """Remember it."""
        self.chosen = name

    async def speak(self, sentence: Sentence) -> AsyncIterator[SpeechAudio]:
        """Yield a tone for each word."""
        if self._config.fail:
            raise StageFailed("tts", "scripted", "as its configuration says")
        words = sentence.text.split() or [""]
        t = np.arange(int(self._config.seconds_per_word * RATE)) / RATE
        for number, word in enumerate(words, 1):
            tone = np.sin(2 * np.pi * (200 + 20 * (len(word) % 10)) * t) * np.sin(np.pi * t / t[-1]) * 8000
            yield SpeechAudio(sentence, tone.astype(np.int16), RATE, number == len(words))


@asynccontextmanager
async def async_setup(context: PluginContext, config: TtsConfig) -> AsyncIterator[SpeechSynthesizer]:
    """Nothing to open."""
    yield ScriptedSynthesizer(config)
