"""Mouth shapes from the sound of speech, by a small network that was trained on speech with known phonemes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatard.api.flow import FRAME_SAMPLES, Samples
from avatard.face.cut import Decimator
from avatard.face.mel import MelStream
from avatard.face.network import Floats, MouthNetwork

AT_ONCE = 25
"""Blocks that are best fed together: more cost hardly less, and whoever waits meanwhile waits a millisecond."""
LATE = 4
"""Blocks of sound that a shape waits for after its own: a mouth is on its way before its sound is heard."""
HUSH, SPEECH = 0.2, 0.5
"""How sure the network is of speech: below the first the mouth rests, from the second on it does as it hears."""
APART, TOGETHER = 0.15, 0.45
"""How sure it is of a closure: below the first lips part as they will, from the second on they touch."""
TOUCH = 0.04
"""What smoothing leaves over of a neighbouring sound must not keep the lips apart."""


@dataclass(frozen=True, slots=True)
class MouthShape:
    """A mouth at one moment; without arguments, at rest."""

    open: float = 0.0
    """0 shut - 1 as in "ah" """
    wide: float = 0.5
    """0 narrow - 0.5 at rest - 1 stretched as in "ee" """
    round: float = 0.0
    """0 flat - 1 pursed as in "oo" """
    teeth: float = 0.0
    """0 hidden - 1 bared as in "sss" """


REST = MouthShape()
"""A shut mouth."""


class MouthTracker:
    """Follows one answer: feed it all blocks of sound, then ``finish`` it; each block gets its shape, in order."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self._decimator, self._mel, self._network = Decimator(), MelStream(), MouthNetwork()
        self._blocks = 0

    def feed(self, *blocks: Samples) -> list[MouthShape]:
        """Take the next blocks, each 1920 samples at 48 kHz or several such; return the shapes that are settled.

        Each waits for four blocks more. What comes together is worked out together, which costs less.
        """
        self._blocks += sum(map(len, blocks)) // FRAME_SAMPLES
        sound = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        # The 16 kHz copy comes half a millisecond late; that is not seen.
        return [_shape(row) for row in self._network.feed(self._mel.feed(self._decimator.feed(sound)))]

    def finish(self) -> list[MouthShape]:
        """The answer has ended: return the shapes that were still waiting."""
        rows = self._network.finish(self._mel.finish(), self._blocks)
        self._blocks = 0
        return [_shape(row) for row in rows]


def _shape(row: Floats) -> MouthShape:
    opened, wide, pursed, teeth, speech, closed = row.tolist()
    awake = _between(speech, HUSH, SPEECH)
    parted = awake * (1 - _between(closed, APART, TOGETHER)) * max(0.0, (opened - TOUCH) / (1 - TOUCH))
    return MouthShape(parted, REST.wide + awake * (wide - REST.wide), awake * pursed, awake * teeth)


def _between(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
