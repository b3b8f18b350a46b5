"""sherpa-onnx on a streaming transducer. Runs in the child."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.errors import NotReady
from avatard.plugins.sherpa_onnx import files

RATE = 16_000
TAIL = 0.66
"""Seconds of silence after the request, so that the encoder sees its end. Source: sherpa-onnx's examples."""


class SherpaEngine:
    """One recogniser; requests come one after another."""

    def __init__(self, model: str, threads: int, int8: bool, rejection: float) -> None:
        """Load a model's folder.

        Raises:
            NotReady: it is no model.
        """
        self._recognizer = _loaded(Path(model), threads, int8)
        self._rejection = rejection
        self.begin()

    def begin(self) -> None:
        """Start a request; one that was abandoned is forgotten."""
        self._stream: Any = self._recognizer.create_stream()
        self._said = ""

    def feed(self, sound: bytes) -> str | None:
        """Take int16 sound; return what was said so far when it has changed."""
        self._stream.accept_waveform(RATE, np.frombuffer(sound, np.int16).astype(np.float32) / 32_768)
        said = self._decoded()
        if said == self._said:
            return None
        self._said = said
        return said

    def finish(self) -> tuple[str, float]:
        """Return (text, confidence); an empty text was not understood."""
        self._stream.accept_waveform(RATE, np.zeros(int(TAIL * RATE), np.float32))
        self._stream.input_finished()
        said = self._decoded()
        pieces = self._recognizer.ys_probs(self._stream)
        confidence = math.exp(sum(pieces) / len(pieces)) if pieces else 0.0
        return (said, confidence) if said and confidence >= self._rejection else ("", 0.0)

    def abandon(self) -> None:
        """Forget the request in progress."""
        self.begin()

    def _decoded(self) -> str:
        while self._recognizer.is_ready(self._stream):
            self._recognizer.decode_stream(self._stream)
        said: str = " ".join(self._recognizer.get_result(self._stream).split())
        # Most of these models were trained on capitals alone.
        return said.lower() if said.isupper() else said


def _loaded(folder: Path, threads: int, int8: bool) -> Any:
    found = files.parts(folder, int8)
    import sherpa_onnx

    try:
        return sherpa_onnx.OnlineRecognizer.from_transducer(
            **found, num_threads=threads, sample_rate=RATE, decoding_method="greedy_search"
        )
    except Exception as err:  # whatever onnxruntime makes of the files
        reason = (str(err).strip().splitlines() or [type(err).__name__])[0]
        raise NotReady(f"sherpa_onnx: {folder}: cannot be loaded ({reason}); get the model again") from err
