"""pymicro-wakeword: one front end for all phrases."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from avatard.api import tflite
from avatard.api.errors import ConfigError

REFRACTORY = 1.5
"""Seconds after a detection in which the same source does not wake again."""
FEATURES = 40
"""Numbers that the front end makes of 10 ms. Source: microWakeWord."""
LONGEST = 1000
"""Probabilities that a phrase's mean may be of."""
THRESHOLDS = {"alexa": 0.95, "hey_jarvis": 0.85}
"""Where a built-in model's own lets too much through, or too little: ``avatard bench listen``, seed 1. At 0.95 "alexa"
wakes falsely 0.38 times an hour, not 0.95; at 0.85 "hey jarvis" 0.1 times, not 0, and 10 % fewer are missed."""
WARY = 0.06
"""Share of its threshold at which a phrase counts in our own speech: a room made 0.95 out of 0.07."""


@dataclass(slots=True)
class Source:
    """One microphone's state; TFLite models keep theirs inside, so each source has its own."""

    features: Any
    models: list[tuple[Any, float]]
    deaf_until: float = 0.0


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

    def end(self, number: int) -> None:
        """Forget a source."""
        source = self._sources.pop(number, None)
        for model, _ in source.models if source else ():
            model.close()

    def feed(self, number: int, sound: bytes, end: float) -> tuple[str, float] | None:
        """Take int16 sound that ends at ``end`` seconds; return (phrase, probability) when one was completed."""
        found: tuple[str, float] | None = None
        for phrase, probability, threshold in self._heard(number, sound):
            if probability > threshold and end >= self._sources[number].deaf_until:
                self._sources[number].deaf_until = end + REFRACTORY
                found = phrase, probability
        return found

    def rehearse(self, number: int, sound: bytes) -> list[tuple[str, float]]:
        """Take int16 sound of our own; return (phrase, share of its threshold) of all that might be taken for one."""
        return [(phrase, p / threshold) for phrase, p, threshold in self._heard(number, sound) if p > WARY * threshold]

    def _heard(self, number: int, sound: bytes) -> Iterator[tuple[str, float, float]]:
        """Each phrase's probabilities in the sound, and its threshold."""
        source = self._sources.get(number)
        if source is None:
            return
        for features in source.features.process_streaming(sound):
            for model, threshold in source.models:
                probability = model.process_streaming_prob(features)
                if probability is not None:
                    yield model.id, float(probability), threshold

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
            model = _own(Path(file))
        else:
            known = [m.value for m in Model]
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise ConfigError(f"wake_word: no phrase {name!r}; {hint}")
            model = MicroWakeWord.from_builtin(Model(name))
        if threshold is None:
            threshold = model.probability_cutoff if file else THRESHOLDS.get(name, model.probability_cutoff)
        return model, threshold


def _own(file: Path) -> Any:
    """A user's model: its JSON file, and the network beside it."""
    from pymicro_wakeword import MicroWakeWord, Model

    spare = MicroWakeWord.from_builtin(next(iter(Model)))
    try:
        told = json.loads(file.read_text("utf-8"))
        put, out = tflite.examine(spare.lib, file.parent / told["model"])
        if len(put.shape) != 3 or put.shape[2] != FEATURES or prod(out.shape) != 1:
            raise ValueError(f"{told['model']}: a TFLite model, but none on microWakeWord's features")
        cutoff, window = told["micro"]["probability_cutoff"], told["micro"]["sliding_window_size"]
        if not 0 < cutoff < 1 or not 1 <= window <= LONGEST:
            raise ValueError(f"probability_cutoff {cutoff} or sliding_window_size {window} makes no sense")
        return MicroWakeWord.from_config(file)
    except (OSError, KeyError, ValueError, TypeError) as err:
        what = f"no {err}" if isinstance(err, KeyError) else err
        raise ConfigError(f"wake_word: {file}: no microWakeWord model ({what}); give the .json of one") from err
    finally:
        spare.close()
