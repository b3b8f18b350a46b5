"""pyopen-wakeword: one front end for all phrases."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api import tflite
from avatard.api.errors import ConfigError
from avatard.plugins.openwakeword.network import EMBEDDING, WINDOW, Floats, Network

REFRACTORY = 1.5
"""Seconds after a detection in which the same source does not wake again."""
WARY = 0.4
"""Share of its threshold at which a phrase counts in our own speech: the room may make it likelier."""
THRESHOLD = 0.5
VERIFIED = 0.5
"""What a verifier must say at least."""


@dataclass(slots=True)
class Source:
    """One microphone's state."""

    features: Any
    models: list[tuple[Any, float, Network | None]]
    seen: Floats = field(default_factory=lambda: np.zeros((WINDOW, EMBEDDING), np.float32))
    """The newest embeddings."""
    deaf_until: float = 0.0


class OpenWakeWordEngine:
    """Detects phrases in 16 kHz mono sound."""

    def __init__(self, phrases: list[tuple[str, str, float | None]], verifiers: dict[int, str] | None = None) -> None:
        """Take (name, file, threshold) triples, and by a phrase's place its verifier's file; check that each loads.

        Raises:
            ConfigError: a phrase is unknown or a file cannot be read.
        """
        self._phrases = phrases
        self._verifiers = {place: Network(file) for place, file in (verifiers or {}).items()}
        self._sources: dict[int, Source] = {}
        self._spare: Source | None = self._make()

    def open(self, number: int) -> None:
        """Begin on one source."""
        self._sources[number], self._spare = self._spare or self._make(), None

    def end(self, number: int) -> None:
        """Forget a source."""
        self._sources.pop(number, None)

    def feed(self, number: int, sound: bytes, end: float) -> tuple[str, float] | None:
        """Take int16 sound that ends at ``end`` seconds; return (phrase, probability) when one was completed."""
        found: tuple[str, float] | None = None
        for phrase, probability, _ in self._heard(number, sound, 1.0):
            if end >= self._sources[number].deaf_until:
                self._sources[number].deaf_until = end + REFRACTORY
                found = phrase, probability
        return found

    def rehearse(self, number: int, sound: bytes) -> list[tuple[str, float]]:
        """Take int16 sound of our own; return (phrase, share of its threshold) of all that might be taken for one."""
        return [(phrase, p / threshold) for phrase, p, threshold in self._heard(number, sound, WARY)]

    def _heard(self, number: int, sound: bytes, least: float) -> Iterator[tuple[str, float, float]]:
        """What is more probable than that share of its threshold: phrase, probability, threshold."""
        source = self._sources.get(number)
        if source is None:
            return
        for embeddings in source.features.process_streaming(sound):
            source.seen = np.concatenate([source.seen, embeddings.reshape(-1, EMBEDDING)])[-WINDOW:]
            for model, threshold, verifier in source.models:
                for probability in model.process_streaming(embeddings):
                    if probability <= threshold * least:
                        continue
                    # Else somebody else said it, or it only sounds like it.
                    if verifier is None or verifier.probability(source.seen) >= VERIFIED:
                        yield model.id, float(probability), threshold

    def _make(self) -> Source:
        from pyopen_wakeword import OpenWakeWordFeatures

        features = OpenWakeWordFeatures.from_builtin()
        models = [
            (*self._model(features.lib, *phrase), self._verifiers.get(place))
            for place, phrase in enumerate(self._phrases)
        ]
        return Source(features, models)

    def _model(self, library: Any, name: str, file: str, threshold: float | None) -> tuple[Any, float]:
        from pyopen_wakeword import Model, OpenWakeWord

        if file.endswith(".onnx"):
            model: Any = Network(file)
        elif file:
            _check(library, Path(file))
            model = OpenWakeWord.from_model(Path(file))
        else:
            known = [m.value for m in Model]
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise ConfigError(f"wake_word: no phrase {name!r}; {hint}")
            model = OpenWakeWord.from_builtin(Model(name))
        return model, THRESHOLD if threshold is None else threshold


def _check(library: Any, path: Path) -> None:
    try:
        put, out = tflite.examine(library, path)
        if len(put.shape) != 3 or put.shape[2] != EMBEDDING or put.kind != tflite.FLOAT32 or prod(out.shape) != 1:
            raise ValueError(f"{path}: a TFLite model, but none on openWakeWord's embeddings")
    except ValueError as err:
        raise ConfigError(f"wake_word: {err}; give an openWakeWord model's .tflite or .onnx") from err
