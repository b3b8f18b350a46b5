"""Finds "stop", said alone: a short sound between two silences, which PocketSphinx takes for no other short saying."""

from __future__ import annotations

import itertools
import math
from collections import deque
from typing import Any

import numpy as np

from avatard.plugins.pocketsphinx.dictionary import learn
from avatard.plugins.pocketsphinx.stop_words import OTHERS, PHRASES, SPOKEN

RATE, STEP = 16_000, 320
"""Hz, and samples of a step (20 ms), for which one power is kept."""
QUIET, SHORTEST, LONGEST, GAP = 15, 6, 60, 15
"""Steps: silence after (0.3 s), the saying (0.12 to 1.2 s), and a silence in it: a plosive's, or between two words."""
FALL = 10 ** (-12 / 10)
"""Share of the loudest step's power (-12 dB) below which it is quiet: what a canceller leaves of us is below it."""
FAINT = 60.0**2
"""Mean square below which nothing was said."""
PAD = 12
"""Steps of silence on either side that the recogniser is given."""
WINDOW = LONGEST + 2 * QUIET
"""Steps (1.8 s) in which nothing else may be heard; 0.3 s of them before the saying, at least."""
KEPT = (WINDOW + PAD) * STEP


class StopEngine:
    """One source at a time has a state; PocketSphinx only works when a short saying has ended."""

    def __init__(self, language: str, advantage: float) -> None:
        """Load the acoustic model and the sayings of a language; it may have none."""
        self._phrases = phrases_in(language)
        self._advantage = advantage
        self._decoder: Any = self._loaded(language.split("-")[0]) if self._phrases else None
        self._sources: dict[int, Source] = {}
        self._noise = np.random.default_rng(7)

    def open(self, number: int) -> None:
        """Begin on one source."""
        self._sources[number] = Source()

    def end(self, number: int) -> None:
        """Forget a source."""
        self._sources.pop(number, None)

    def feed(self, number: int, sound: bytes, end: float) -> tuple[str, float] | None:
        """Take int16 sound that ends at ``end`` seconds; return (phrase, score) where one has ended in it."""
        source = self._sources.get(number)
        if source is None or self._decoder is None:
            return None
        found = None
        for saying in source.feed(np.frombuffer(sound, np.int16), end):
            found = self._recognized(saying) or found
        return found

    def _recognized(self, saying: np.ndarray) -> tuple[str, float] | None:
        # Digital silence gives no result: a little noise does.
        dithered = saying.astype(np.int32) + self._noise.integers(-6, 7, len(saying))
        sound = np.clip(dithered, -32768, 32767).astype(np.int16).tobytes()
        phrase, score = self._heard("sayings", sound)
        if phrase not in self._phrases:
            return None
        better = (score - self._heard("phones", sound)[1]) / (len(saying) / RATE)
        return (phrase, min(1.0, max(0.0, 0.5 + better))) if better >= self._advantage else None

    def _heard(self, search: str, sound: bytes) -> tuple[str, float]:
        self._decoder.activate_search(search)
        self._decoder.start_utt()
        self._decoder.process_raw(sound, False, True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return (found.hypstr, math.log(max(found.best_score, 1e-300))) if found else ("", -1e3)

    def _loaded(self, language: str) -> Any:
        from pocketsphinx import Config, Decoder, get_model_path, set_loglevel

        set_loglevel("FATAL")
        decoder = Decoder(Config(
            hmm=get_model_path("en-us/en-us"), dict=None, lm=None, samprate=RATE, loglevel="FATAL",
        ))  # fmt: skip
        learn(decoder, {word for saying in (*self._phrases, *OTHERS.split("|")) for word in saying.split()})
        for word, ways in SPOKEN[language].items():
            for phones in ways:
                # The dictionary numbers a word's further ways: word(2), word(3) …
                names = itertools.chain([word], (f"{word}({number})" for number in itertools.count(2)))
                decoder.add_word(next(name for name in names if decoder.lookup_word(name) is None), phones, True)
        sayings = f"{' | '.join(self._phrases)} | {OTHERS}"
        decoder.add_jsgf_string("sayings", f"#JSGF V1.0;\ngrammar avatard;\npublic <saying> = {sayings};\n")
        decoder.add_allphone_file("phones", get_model_path("en-us/en-us-phone.lm.bin"))
        return decoder


class Source:
    """The last seconds of one source."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self._sound = np.zeros(0, np.int16)
        self._powers: deque[float] = deque(maxlen=WINDOW)
        self._done = 0
        """Samples at the end of ``_sound`` that are in no step yet."""
        self._end: float | None = None

    def feed(self, sound: np.ndarray, end: float) -> list[np.ndarray]:
        """Take sound; return the short sayings that ended in it, with a little silence about each."""
        if self._end is not None and abs(end - len(sound) / RATE - self._end) > 0.01:
            self._sound, self._done = self._sound[:0], 0
            self._powers.clear()
        self._end = end
        self._sound = np.concatenate([self._sound, sound])
        self._done += len(sound)
        found = []
        while self._done >= STEP:
            last = len(self._sound) - self._done + STEP
            step = self._sound[last - STEP : last].astype(np.float64)
            self._powers.append(float(np.mean(step * step)))
            self._done -= STEP
            if (steps := self._saying()) is not None:
                found.append(self._sound[max(0, last - steps * STEP) : last])
        self._sound = self._sound[-KEPT:] if len(self._sound) > KEPT else self._sound
        return found

    def _saying(self) -> int | None:
        """How many steps ago a saying began (less the silence before it) that has just ended; None: none has."""
        if len(self._powers) < 2 * QUIET + SHORTEST:
            return None
        power = np.array(self._powers)
        loud = power >= power.max() * FALL
        # Exactly now: the step before the silence is loud, so that each saying is found once.
        if power.max() < FAINT or not loud[-QUIET - 1] or loud[-QUIET:].any():
            return None
        steps = np.flatnonzero(loud)
        first, last = int(steps[0]), int(steps[-1])
        if first < QUIET or not SHORTEST <= last - first + 1 <= LONGEST or np.diff(steps).max(initial=0) > GAP:
            return None
        return len(power) - first + PAD


def phrases_in(language: str) -> tuple[str, ...]:
    """The stop phrases of a language such as ``de`` or ``de-AT``; none where they are not known."""
    return PHRASES.get(language.split("-")[0].lower(), ())
