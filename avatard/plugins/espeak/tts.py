"""espeak-ng as a speech synthesizer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import numpy as np

from avatard.api.context import Model, PluginContext
from avatard.api.flow import Samples, Sentence, SpeechAudio
from avatard.api.stages import SpeechSynthesizer
from avatard.plugins.espeak.config import TtsConfig
from avatard.plugins.espeak.engine import EspeakEngine

MEGABYTES = 18
"""Measured: PSS of the child."""
VOICES = {"en": "en-us", "zh": "cmn"}
"""Language code → espeak-ng voice, where they differ."""


class EspeakSynthesizer:
    """Speaks through the child."""

    def __init__(self, model: Model, rate: int) -> None:
        """Use the loaded child, whose sound has ``rate`` Hz."""
        self._model, self._rate = model, rate

    async def speak(self, sentence: Sentence) -> AsyncIterator[SpeechAudio]:
        """Yield the sentence's sound."""
        waiting: Samples = np.zeros(0, np.int16)
        async with aclosing(self._model.stream("speak", sentence.text)) as pieces:
            async for piece in pieces:
                if len(waiting):
                    yield SpeechAudio(sentence, waiting, self._rate, False)
                waiting = np.frombuffer(piece, np.int16)
        yield SpeechAudio(sentence, waiting, self._rate, True)


@asynccontextmanager
async def async_setup(context: PluginContext, config: TtsConfig) -> AsyncIterator[SpeechSynthesizer]:
    """Start the child; leaving the block ends it."""
    voice = config.voice or VOICES.get(context.language, context.language)
    model = context.model(EspeakEngine, MEGABYTES, voice=voice, rate=config.rate, pitch=config.pitch)
    rate = await model.call("sample_rate")
    yield EspeakSynthesizer(model, rate)
