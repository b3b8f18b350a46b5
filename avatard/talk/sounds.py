"""The core's own short sounds, made by arithmetic: 48 kHz mono."""

from __future__ import annotations

import numpy as np

from avatard.api.flow import SPEECH_RATE, Samples


def _notes(*notes: tuple[float, float], gain: float = 0.18) -> Samples:
    """Join (Hz, seconds) notes, each with a soft start and a long fade: nothing like a voice."""
    parts = []
    for hertz, seconds in notes:
        t = np.arange(int(seconds * SPEECH_RATE)) / SPEECH_RATE
        envelope = np.minimum(t / 0.008, 1) * np.exp(-t * 5 / seconds)
        parts.append(np.sin(2 * np.pi * hertz * t) * envelope)
    return (np.concatenate(parts) * gain * 32767).astype(np.int16)


def wake_chime() -> Samples:
    """Two rising notes: go ahead. 0.16 s."""
    return _notes((1174.7, 0.07), (1568.0, 0.09))


def ring_chime() -> Samples:
    """A timer has ended. 0.9 s."""
    return _notes((1046.5, 0.3), (1318.5, 0.3), (1568.0, 0.3), gain=0.3)
