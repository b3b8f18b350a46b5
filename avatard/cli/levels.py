"""How loud a microphone is: a bar that moves, and a verdict."""

from __future__ import annotations

from collections import deque

import numpy as np

from avatard.api.flow import Samples
from avatard.cli.chirps import decibels
from avatard.cli.findings import Finding

BAR, LOWEST = 32, -72
"""Characters of the bar, and the dB of its left end."""
TOP, CLIPPED = 32_600, 0.002
"""A sample from here on is cut off at the top; so large a share of them is too much."""
QUIET_DB, NOISY_DB = -46.0, -34.0
"""A person beside the microphone is louder than this; a room's rest is quieter than that."""
KEPT = 6000
"""Frames (6 minutes) of which the quietest tell the noise."""

MUTED = ("unmute it (F4 shows what records, M unmutes) and turn it up:\n  alsamixer\n"
         "  pactl set-source-mute @DEFAULT_SOURCE@ 0")  # fmt: skip
LOUDER = ("turn it up (F4 shows what records), or come closer:\n  alsamixer\n"
          "  pactl set-source-volume @DEFAULT_SOURCE@ +10dB")  # fmt: skip
SOFTER = ("turn it down (F4 shows what records):\n  alsamixer\n"
          "  pactl set-source-volume @DEFAULT_SOURCE@ -6dB")  # fmt: skip
NOISE = "move it away from fans and loudspeakers, or turn its gain down (F4 shows what records):\n  alsamixer"
OTHER = "choose another one with 'device:' under 'microphone:'; what there is:\n  arecord -l"


class Meter:
    """Takes frames as they come."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self.frames = 0
        self.peak = 0
        self._count = self._clipped = 0
        self._values: set[int] = set()
        self._levels: deque[float] = deque(maxlen=KEPT)

    def take(self, samples: Samples) -> None:
        """Look at a frame."""
        self.frames += 1
        wide = np.abs(samples.astype(np.int32))
        self.peak = max(self.peak, int(wide.max(initial=0)))
        self._count += len(wide)
        self._clipped += int((wide >= TOP).sum())
        if len(self._values) < 2 and len(samples):
            self._values |= {int(samples.min()), int(samples.max())}
        self._levels.append(decibels(float(np.sqrt(np.mean(wide.astype(np.float64) ** 2)))))

    @property
    def now(self) -> float:
        """The last frame, dB."""
        return self._levels[-1] if self._levels else decibels(0)

    @property
    def loudest(self) -> float:
        """The loudest frame, dB."""
        return max(self._levels, default=decibels(0))

    @property
    def floor(self) -> float:
        """What is always there, dB."""
        return round(float(np.percentile(list(self._levels), 10)), 1) if self._levels else decibels(0)

    @property
    def clipped(self) -> float:
        """Share of the samples that are cut off."""
        return self._clipped / max(1, self._count)

    def bar(self, length: int = BAR) -> str:
        """The last frame as a line, with the highest peak and the noise."""
        def column(db: float) -> int:
            return round(length * min(1.0, max(0.0, (db - LOWEST) / -LOWEST)))

        line = list("#" * column(self.now) + "." * (length - column(self.now)))
        if (peak := column(decibels(self.peak))) > 0:
            line[peak - 1] = "|"
        clip = "  CLIPS" if self._clipped else ""
        return f"[{''.join(line)}] {self.now:4.0f} dB  peak {decibels(self.peak):4.0f}  noise {self.floor:4.0f}{clip}"

    def figures(self) -> dict[str, float]:
        """As in ``--json``."""
        return {"loudest_db": self.loudest, "peak_db": decibels(self.peak), "noise_db": self.floor,
                "clipped_percent": round(100 * self.clipped, 2)}  # fmt: skip

    def verdict(self, part: str, spoken: bool) -> Finding:
        """What to make of it; ``spoken``: somebody was asked to speak."""
        figures = self.figures()
        heard = f"loudest {self.loudest:.0f}, peak {decibels(self.peak):.0f}, noise {self.floor:.0f} dB"
        if not self.frames:
            return Finding(part, "failed", "no sound comes", OTHER, figures)
        if self.peak == 0:
            return Finding(part, "failed", "only zeros: it is muted, or the wrong device", f"{MUTED}\n{OTHER}", figures)
        if len(self._values) == 1:
            return Finding(part, "failed", f"always the same value ({self.peak}): it is stuck", OTHER, figures)
        if self.clipped > CLIPPED:
            what = f"too loud: {100 * self.clipped:.1f} % of it is cut off; {heard}"
            return Finding(part, "warning", what, SOFTER, figures)
        if spoken and self.loudest < QUIET_DB:
            return Finding(part, "warning", f"too quiet, or nobody spoke: {heard}", LOUDER, figures)
        if self.floor > NOISY_DB:
            return Finding(part, "warning", f"the room is loud: {heard}", NOISE, figures)
        return Finding(part, "ok", heard, "", figures)


def one_sided(part: str, levels: list[float], whole: Finding) -> Finding:
    """What the channels say, beside the verdict on their mean."""
    dead = [number for number, level in enumerate(levels, 1) if level <= decibels(0)]
    figures = whole.figures | {"channels_db": levels}
    if whole.state != "ok" or not dead or len(dead) == len(levels):
        return Finding(part, whole.state, whole.what, whole.fix, figures)
    what = f"channel {dead[0]} of {len(levels)} is silent, so all is half as loud: {whole.what}"
    return Finding(part, "warning", what, f"take a mono adapter for a mono microphone, or:\n{LOUDER}", figures)
