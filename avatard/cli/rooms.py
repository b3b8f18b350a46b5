"""Rooms made by arithmetic: what a microphone would hear in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatard.runtime.voices import Wave

DIRECT = 0.15
"""How loud a reverberation begins beside the direct sound."""


@dataclass(frozen=True, slots=True)
class Room:
    """A way from a loudspeaker to a microphone."""

    response: Wave
    """At 16 kHz, of energy 1"""
    delay: float
    """Seconds before anything comes"""

    def heard(self, sound: Wave, late: bool = True) -> Wave:
        """The sound in the room; not ``late``: of somebody who stands there."""
        response = self.response if late else self.response[int(self.delay * 16_000) :]
        length = len(sound) + len(response) - 1
        size = 1 << (length - 1).bit_length()
        return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[: len(sound)]


def room(seed: int, wet: float = DIRECT) -> Room:
    """One that rings for 0.2 to 0.5 s (to -60 dB), behind 20 to 200 ms of devices and air.

    Args:
        seed: another one, another room.
        wet: how loud the reverberation begins beside the direct sound: the farther, the louder.
    """
    rng = np.random.default_rng(seed)
    rings, delay = rng.uniform(0.2, 0.5), rng.uniform(0.02, 0.2)
    t = np.arange(int(rings * 16_000)) / 16_000
    response = rng.normal(0, wet, len(t)) * np.exp(-6.9 * t / rings)
    response[0] = 1.0
    response = np.concatenate([np.zeros(int(delay * 16_000)), response])
    return Room(response / np.sqrt(np.sum(response**2)), delay)
