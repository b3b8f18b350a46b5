"""A sound card's channels, each for itself: the daemon hears their mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from avatard.cli.chirps import decibels
from avatard.runtime.config import PlatformEntry

SECONDS = 0.5


def channel_levels(entry: PlatformEntry) -> list[float]:
    """How loud each channel is, dB; none where the device has but one, or cannot be opened another time."""
    if entry.platform != "sounddevice":
        return []
    try:
        import sounddevice as sd

        device: Any = getattr(entry.options, "device", "") or None
        info: Any = sd.query_devices(device, "input")
        count, rate = min(2, int(info["max_input_channels"])), int(info["default_samplerate"])
        if count < 2:
            return []
        sound: Any = sd.rec(int(SECONDS * rate), rate, count, "int16", blocking=True, device=info["index"])
    except (OSError, ValueError, sd.PortAudioError):
        return []
    return [decibels(float(np.sqrt(np.mean(one.astype(np.float64) ** 2)))) for one in sound.T]
