"""Where a request ends: pure policy over voice probabilities and levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from avatard.api.flow import AudioFrame

Verdict = Literal["ended", "nobody", "too long"]

SPEECH_SECONDS = 0.09
"""Voiced sound that makes a request: shorter is a click or a cough."""
TAIL_SECONDS = 0.35
"""A voiced run that begins at the wake detection and is shorter is the wake phrase's own end."""


@dataclass(frozen=True, slots=True)
class ListeningLimits:
    """The core's ``listening`` settings, in seconds."""

    end_silence: float = 0.5
    complete_silence: float = 0.25
    """The same after a complete command"""
    no_speech: float = 5.0
    longest: float = 15.0
    threshold: float = 0.5
    """Voice probability, 0–1"""
    floor_db: float = 20.0
    """A voiced frame this far below the request's loudest is somebody in the background."""


def level_db(frame: AudioFrame) -> float:
    """Root mean square level, dB below full scale; silence is -96."""
    samples = frame.samples.astype(np.float32)
    power = float(np.mean(samples * samples)) if len(samples) else 0.0
    return 10 * float(np.log10(power / 32768**2 + 2.5e-10))


class Endpoint:
    """Takes a request's frames and says when it has ended."""

    def __init__(self, limits: ListeningLimits, begins: float) -> None:
        """Judge what comes after ``begins``, a position in the microphone's stream in seconds."""
        self.speech_end: float | None = None
        """Where the last voiced sound ended, seconds; None while nobody has spoken."""
        self._limits, self._begins = limits, begins
        self._masked_until = begins
        self._loudest = -96.0
        self._run = 0.0
        self._run_from = begins
        self._quiet_since = begins
        self._spoken = False
        self.complete = False
        """Whether what was heard so far is a complete command."""

    def mask(self, until: float) -> None:
        """Hear no speech before this position: our own beep is sounding."""
        self._masked_until = max(self._masked_until, until)

    def feed(self, frame: AudioFrame, probability: float) -> Verdict | None:
        """Take the next frame and the probability that somebody speaks in it."""
        if frame.end <= self._begins:
            return None
        level = level_db(frame)
        voiced = probability >= self._limits.threshold
        if voiced:
            self._loudest = max(self._loudest, level)
        if voiced and level >= self._loudest - self._limits.floor_db:
            self._voiced(frame)
        elif self._run:
            self._run_ends(frame)
        return self._verdict(frame)

    def _voiced(self, frame: AudioFrame) -> None:
        if not self._run:
            self._run_from = frame.at
        self._run += frame.end - frame.at
        contiguous = self._run_from <= self._begins + 0.1 and not self._spoken
        if self._run >= (TAIL_SECONDS if contiguous else SPEECH_SECONDS) and frame.end > self._masked_until:
            self._spoken = True
        if self._spoken:
            self.speech_end = frame.end

    def _run_ends(self, frame: AudioFrame) -> None:
        self._run = 0.0
        self._quiet_since = frame.at

    def _verdict(self, frame: AudioFrame) -> Verdict | None:
        if self._spoken and self.speech_end is not None:
            limits = self._limits
            silence = min(limits.complete_silence, limits.end_silence) if self.complete else limits.end_silence
            if frame.end - self.speech_end >= silence - 1e-6:
                return "ended"
        elif frame.end - max(self._begins, self._masked_until) >= self._limits.no_speech:
            return "nobody"
        if frame.end - self._begins >= self._limits.longest:
            return "too long" if self._spoken else "nobody"
        return None
