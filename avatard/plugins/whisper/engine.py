"""pywhispercpp: sound is gathered, and decoded when the request has ended. Runs in the child."""

from __future__ import annotations

import atexit
import threading
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.errors import NotReady
from avatard.plugins.whisper import files, guards

RATE = 16_000
LONGEST = 60 * RATE
"""Samples of a request that are kept; what comes after is not heard."""
LEAST = RATE
"""Samples below which whisper.cpp hears nothing: silence makes up for what is missing."""
STEPS = 50
"""Of the encoder's context, a second."""
WORDS = 224
"""Tokens in a reply: a model that goes round in circles comes to an end."""


class WhisperEngine:
    """One model; requests come one after another."""

    def __init__(
        self, model: str, language: str, partials: float, threads: int, short_context: bool, rejection: float
    ) -> None:
        """Load the model's file and decode a moment's silence.

        Raises:
            NotReady: it is no model, or does not know the language.
        """
        self._file = files.check(Path(model))
        self._language, self._rejection = language, rejection
        self._short, self._every = short_context, int(partials * RATE)
        self._sound = np.zeros(LONGEST, np.int16)
        self._count = self._looked = 0
        self._said, self._found = "", ""
        self._spoken = "en"
        self._stopped = False
        self._looking: threading.Thread | None = None
        self._model = self._loaded(model, threads)
        self.begin("en")
        self._decode(LEAST)

    def begin(self, language: str) -> None:
        """Start a request; one that was abandoned is forgotten.

        Raises:
            NotReady: the model does not know the language.
        """
        self.abandon()
        spoken = self._language or language.partition("-")[0]
        if self._file.english and spoken not in ("en", "auto"):
            raise NotReady(f"whisper: this model knows English alone, not {spoken!r}; take one without .en")
        if spoken != "auto" and self._library.whisper_lang_id(spoken) < 0:
            raise NotReady(f"whisper: no language {spoken!r}; give a code such as de, or auto")
        self._spoken = "en" if self._file.english else spoken
        self._count = self._looked = 0
        self._said = self._found = ""
        self._stopped = False

    def feed(self, sound: bytes) -> str | None:
        """Take int16 sound; return what was said so far when it has changed."""
        samples = np.frombuffer(sound, np.int16)[: LONGEST - self._count]
        self._sound[self._count : self._count + len(samples)] = samples
        self._count += len(samples)
        if self._every and self._looking is None and self._count - self._looked >= self._every:
            self._looked = self._count
            self._looking = threading.Thread(target=self._look, args=(self._count,), daemon=True)
            self._looking.start()
        elif self._looking is not None and not self._looking.is_alive():
            self._looking = None
        if self._found == self._said:
            return None
        self._said = self._found
        return self._said

    def finish(self) -> tuple[str, str, float]:
        """Return (text, language, confidence); an empty text was not understood."""
        self._end_looking()
        loudest = np.abs(self._sound[: self._count].astype(np.int32)).max(initial=0)
        if self._count < guards.SHORTEST * RATE or loudest < guards.LOUD:
            return "", self._spoken, 0.0
        return self._decode(self._count)

    def abandon(self) -> None:
        """Forget the request in progress."""
        self._end_looking()
        self._count = 0

    def cancel(self) -> None:
        """Stop decoding; called from another thread."""
        self._stopped = True

    def close(self) -> None:
        """Give the memory back."""
        self._end_looking()
        self._model = None

    def _end_looking(self) -> None:
        if self._looking is not None:
            stopped, self._stopped = self._stopped, True
            self._looking.join()
            self._looking, self._stopped = None, stopped

    def _look(self, count: int) -> None:
        text = self._decode(count)[0]
        if text and not self._stopped:
            self._found = text

    def _decode(self, count: int) -> tuple[str, str, float]:
        sound = np.zeros(max(count, LEAST), np.float32)
        sound[:count] = self._sound[:count].astype(np.float32) / 32_768
        context = min(self._file.context, -(-len(sound) * STEPS // RATE) + STEPS) if self._short else 0
        segments = self._model.transcribe(
            sound, language=self._spoken, audio_ctx=context, abort_callback=lambda: self._stopped,
            extract_probability=True,
        )
        if self._stopped:
            return "", self._spoken, 0.0
        probabilities = [s.probability for s in segments if np.isfinite(s.probability)]
        sure = float(np.mean(probabilities)) if probabilities else 0.0
        language = self._spoken
        if language == "auto":
            language = self._library.whisper_lang_str(self._library.whisper_full_lang_id(self._model._ctx))
        return guards.heard(" ".join(s.text for s in segments), sure, self._rejection), language, sure

    def _loaded(self, file: str, threads: int) -> Any:
        import _pywhispercpp
        from pywhispercpp.model import Model

        self._library: Any = _pywhispercpp
        # It tells of each tensor; and a callback that outlives the interpreter would crash it.
        _pywhispercpp.whisper_log_set(lambda level, text: None)
        atexit.register(_pywhispercpp.whisper_log_set, None)
        return Model(
            file, n_threads=threads, print_progress=False, print_timestamps=False, no_context=True, no_timestamps=True,
            single_segment=True, suppress_nst=True, temperature=0.0, temperature_inc=0.0, max_tokens=WORDS,
            greedy={"best_of": 1},
        )  # fmt: skip
