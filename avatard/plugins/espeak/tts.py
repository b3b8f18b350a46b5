"""espeak-ng as a speech synthesizer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import numpy as np

from avatard.api.context import Model, PluginContext
from avatard.api.errors import Refused
from avatard.api.flow import Samples, Sentence, SpeechAudio
from avatard.api.stages import SpeechSynthesizer
from avatard.plugins.espeak.config import TtsConfig
from avatard.plugins.espeak.engine import EspeakEngine

MEGABYTES = 18
"""Measured: PSS of the child."""
VOICES = {"en": "en-us", "zh": "cmn", "zh-hk": "yue"}
"""Language code → espeak-ng voice, where they differ."""
REGIONS = frozenset(("en-gb", "en-us", "en-029", "es-419", "fr-be", "fr-ch", "pt-br", "vi-vn"))
"""espeak-ng's voices of regions"""

VARIANTS = ("f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7")
"""espeak-ng's women and men: espeak-ng-data/voices/!v"""


def voice_of(language: str) -> str:
    """espeak-ng's voice for a language."""
    language = language.replace("_", "-").lower()
    if language in REGIONS or language in VOICES:
        return VOICES.get(language, language)
    alone = language.split("-")[0]
    return VOICES.get(alone, alone)


class EspeakSynthesizer:
    """Speaks through the child."""

    def __init__(self, model: Model, rate: int, voice: str, language: str) -> None:
        """Use the loaded child, whose sound has ``rate`` Hz; speak ``language`` with ``voice``."""
        self._model, self._rate, self._language = model, rate, language
        self.chosen = voice
        base = voice.partition("+")[0]
        self.choices = tuple(dict.fromkeys((voice, base, *(f"{base}+{variant}" for variant in VARIANTS))))

    async def choose(self, name: str) -> None:
        """Speak with another voice from the next sentence on."""
        if name not in self.choices:
            raise Refused(f"espeak has no voice {name!r}; there are {', '.join(self.choices)}")
        self.chosen = name

    async def speak(self, sentence: Sentence) -> AsyncIterator[SpeechAudio]:
        """Yield the sentence's sound."""
        voice = self.chosen if sentence.language == self._language else voice_of(sentence.language)
        async with aclosing(self._model.stream("speak", sentence.text, voice)) as stream:
            # All at once: it is there in a moment, and whoever reads slowly must not hold up who else speaks.
            sound: list[Samples] = [np.frombuffer(piece, np.int16) async for piece in stream]
        for piece in sound[:-1]:
            yield SpeechAudio(sentence, piece, self._rate, False)
        yield SpeechAudio(sentence, sound[-1] if sound else np.zeros(0, np.int16), self._rate, True)


@asynccontextmanager
async def async_setup(context: PluginContext, config: TtsConfig) -> AsyncIterator[SpeechSynthesizer]:
    """Start the child; leaving the block ends it."""
    voice = config.voice or voice_of(context.language)
    model = context.model(EspeakEngine, MEGABYTES, voice=voice, rate=config.rate, pitch=config.pitch)
    rate = await model.call("sample_rate")
    yield EspeakSynthesizer(model, rate, voice, context.language)
