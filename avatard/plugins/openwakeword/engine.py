"""pyopen-wakeword: one front end for all phrases."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatard.api.errors import ConfigError

REFRACTORY = 1.5
"""Seconds after a detection in which the same source does not wake again."""
WARY = 0.4
"""Share of its threshold at which a phrase counts in our own speech: the room may make it likelier."""
THRESHOLD = 0.5


@dataclass(slots=True)
class Source:
    """One microphone's state."""

    features: Any
    models: list[tuple[Any, float]]
    deaf_until: float = 0.0
    refractory: float = REFRACTORY
    wariness: float = 1.0
    """Of each threshold so much counts."""


class OpenWakeWordEngine:
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
        self._sources.pop(number, None)

    def feed(self, number: int, sound: bytes, end: float) -> tuple[str, float] | None:
        """Take int16 sound that ends at ``end`` seconds; return (phrase, probability) when one was completed."""
        source = self._sources.get(number)
        if source is None:
            return None
        found: tuple[str, float] | None = None
        for embeddings in source.features.process_streaming(sound):
            for model, threshold in source.models:
                for probability in model.process_streaming(embeddings):
                    if probability > threshold * source.wariness and end >= source.deaf_until:
                        source.deaf_until = end + source.refractory
                        found = model.id, float(probability)
        return found

    def _make(self) -> Source:
        from pyopen_wakeword import OpenWakeWordFeatures

        return Source(OpenWakeWordFeatures.from_builtin(), [self._model(*phrase) for phrase in self._phrases])

    def _model(self, name: str, file: str, threshold: float | None) -> tuple[Any, float]:
        from pyopen_wakeword import Model, OpenWakeWord

        if file:
            # The library would crash on what is no model: TFLite files carry this mark (flatbuffer identifier).
            path = Path(file)
            if not path.is_file() or path.read_bytes()[4:8] != b"TFL3":
                raise ConfigError(f"wake_word: {file}: no TFLite model; give the .tflite of an openWakeWord model")
            model = OpenWakeWord.from_model(path)
        else:
            known = [m.value for m in Model]
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise ConfigError(f"wake_word: no phrase {name!r}; {hint}")
            model = OpenWakeWord.from_builtin(Model(name))
        return model, THRESHOLD if threshold is None else threshold
