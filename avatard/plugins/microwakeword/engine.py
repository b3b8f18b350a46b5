"""pymicro-wakeword: one front end for all phrases."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatard.api.errors import ConfigError

REFRACTORY = 1.5
"""Seconds after a detection in which the same source does not wake again."""
WARY = 0.2
"""Share of its threshold at which a phrase counts in our own speech: the room may make it likelier."""


@dataclass(slots=True)
class Source:
    """One microphone's state; TFLite models keep theirs inside, so each source has its own."""

    features: Any
    models: list[tuple[Any, float]]
    deaf_until: float = 0.0
    refractory: float = REFRACTORY
    wariness: float = 1.0
    """Of each threshold so much counts."""


class MicroWakeWordEngine:
    """Detects phrases in 16 kHz mono sound."""

    def __init__(self, phrases: list[tuple[str, str, float | None]]) -> None:
        """Take (name, file, threshold) triples; check that each loads.

        Raises:
            ConfigError: a phrase is unknown or a file cannot be read.
        """
        self._phrases = phrases
        self._sources: dict[int, Source] = {}
        self._spare: Source | None = self._make()

    def open(self, number: int) -> None:
        """Begin on one source."""
        self._sources[number], self._spare = self._spare or self._make(), None

    def rehearse(self, number: int) -> None:
        """Hear our own speech as this source: more counts, and again at once."""
        self._sources[number].refractory, self._sources[number].wariness = 0.0, WARY

    def end(self, number: int) -> None:
        """Forget a source."""
        source = self._sources.pop(number, None)
        for model, _ in source.models if source else ():
            model.close()

    def feed(self, number: int, sound: bytes, end: float) -> tuple[str, float] | None:
        """Take int16 sound that ends at ``end`` seconds; return (phrase, probability) when one was completed."""
        source = self._sources.get(number)
        if source is None:
            return None
        found: tuple[str, float] | None = None
        for features in source.features.process_streaming(sound):
            for model, threshold in source.models:
                probability = model.process_streaming_prob(features)
                if probability is not None and probability > threshold * source.wariness and end >= source.deaf_until:
                    source.deaf_until = end + source.refractory
                    found = model.id, float(probability)
        return found

    def close(self) -> None:
        """Free the models."""
        for number in list(self._sources):
            self.end(number)

    def _make(self) -> Source:
        from pymicro_wakeword import MicroWakeWordFeatures

        # The models first: pymicro-features' deallocator swallows an exception that passes it.
        models = [self._model(*phrase) for phrase in self._phrases]
        return Source(MicroWakeWordFeatures(), models)

    def _model(self, name: str, file: str, threshold: float | None) -> tuple[Any, float]:
        from pymicro_wakeword import MicroWakeWord, Model

        if file:
            try:
                model = MicroWakeWord.from_config(Path(file))
            except (OSError, KeyError, ValueError) as err:
                raise ConfigError(f"{file}: no microWakeWord model ({err}); give the .json of one") from err
        else:
            known = [m.value for m in Model]
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise ConfigError(f"wake_word: no phrase {name!r}; {hint}")
            model = MicroWakeWord.from_builtin(Model(name))
        return model, model.probability_cutoff if threshold is None else threshold
