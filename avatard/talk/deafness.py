"""Deafness: a microphone that is there, gives sound in time, and hears nothing.

A converter always gives a little noise. Exact zeros come from one that is switched off or muted, or from a driver
that has lost it; a piece that comes again and again, from a buffer that nobody fills. Some microphones give zeros by
themselves where nobody speaks (noise gates, virtual ones): one that has done so, and was well afterwards, is given
more time.
"""

from __future__ import annotations

import numpy as np

from avatard.api.flow import LISTEN_RATE, AudioFrame, Samples

PROVEN = 10.0
"""Seconds of sound without a pause of zeros after which a microphone is known never to give any."""
QUICK, SLOW, LONGEST = 2.5, 20.0, 3600.0
"""Seconds of zeros that are a fault: of such a one, of any other, and of one that has often recovered by itself."""
PAUSE = 0.5
"""Seconds of zeros that are a pause."""
START = 3.0
"""Seconds after opening in which zeros are no pause: many a device begins with some."""
WINDOW = LISTEN_RATE
"""Samples in which a repetition is looked for: a piece of up to half of it."""
PATTERN = 128
"""Samples that no sound has twice, exactly."""
FROZEN = 1.5
"""Seconds of repetition, beyond the window, that are a fault."""
CLEAR = 1.0
"""Seconds without any, after which that fault is over."""

ZEROS = "the microphone gives only zeros: is it switched off, or muted in the mixer?"
FREEZES = "the microphone gives the same sound again and again: its driver hangs; unplug it and plug it in again"


class Deafness:
    """One microphone's, over all its openings."""

    def __init__(self) -> None:
        """Nothing is known of the microphone."""
        self.fault = ""
        """What is wrong with it; empty: nothing"""
        self._zeros = self._proof = 0.0
        self._gated, self._alarms = False, 0
        self._open = 0.0
        """Seconds since it was opened"""
        self._recent: Samples = np.zeros(0, np.int16)
        self._repeats = self._fresh = 0.0

    @property
    def patience(self) -> float:
        """Seconds of zeros that are taken for a pause."""
        if self._proof >= PROVEN and not self._gated:
            return QUICK
        return float(min(LONGEST, SLOW * 2.0 ** max(0, self._alarms - 1)))

    def opened(self) -> None:
        """It was opened, for the first time or again."""
        self._recent = self._recent[:0]
        self._open = 0.0

    def feed(self, frame: AudioFrame) -> str:
        """Take the next frame; return what is wrong with the microphone, if anything."""
        seconds = len(frame.samples) / LISTEN_RATE
        self._open += seconds
        if frame.samples.any():
            self._sounded(seconds)
            self._compare(frame.samples, seconds)
        else:
            self._zeros += seconds
            self._recent = self._recent[:0]
            if self._zeros >= self.patience:
                self.fault = ZEROS
        return self.fault

    def _sounded(self, seconds: float) -> None:
        if self._zeros >= PAUSE and self._open >= START:
            # It has recovered by itself: a gate, or a person at its switch.
            self._gated, self._alarms = True, self._alarms + (self.fault == ZEROS)
        if self.fault == ZEROS:
            self.fault = ""
        self._zeros = 0.0
        self._proof += seconds

    def _compare(self, samples: Samples, seconds: float) -> None:
        self._recent = np.concatenate([self._recent, samples])[-WINDOW:]
        if len(self._recent) == WINDOW and repeats(self._recent):
            self._repeats, self._fresh = self._repeats + seconds, 0.0
        else:
            self._repeats, self._fresh = 0.0, self._fresh + seconds
        if self._repeats >= FROZEN:
            self.fault = FREEZES
        elif self.fault == FREEZES and self._fresh >= CLEAR + WINDOW / LISTEN_RATE:
            self.fault = ""


def repeats(window: Samples) -> bool:
    """Whether the window is one piece, of up to half its length, over and over: a constant one too."""
    data = window.tobytes()
    end = len(data) - 2 * PATTERN
    pattern = data[end:]
    at = data.rfind(pattern, 0, end + 2 * PATTERN - 1)
    while at >= len(data) // 2 - 2 * PATTERN:
        if at % 2 == 0:
            lag = (end - at) // 2
            return bool(np.array_equal(window[lag:], window[:-lag]))
        at = data.rfind(pattern, 0, at + 2 * PATTERN - 1)
    return False
