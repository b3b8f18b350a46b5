"""How the scripted microphone writes what happens into its samples, and how the others read it.

A frame is 512 samples: a mark, the kind, the text's length in bytes, the bytes.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from avatard.api.flow import AudioFrame, Samples

FRAME = 512
MARK = 12345
Kind = Literal["wake", "speech"]
KINDS: dict[Kind, int] = {"wake": 1, "speech": 2}


def written(kind: Kind, text: str) -> Samples:
    """A frame that carries a text of at most 500 bytes."""
    data = text.encode()[: FRAME - 3]
    samples = np.zeros(FRAME, np.int16)
    samples[:3] = MARK, KINDS[kind], len(data)
    samples[3 : 3 + len(data)] = np.frombuffer(data, np.uint8)
    return samples


def read(frame: AudioFrame, kind: Kind) -> str | None:
    """The text that the frame carries, where it is of this kind."""
    samples = frame.samples
    if len(samples) < 3 or samples[0] != MARK or samples[1] != KINDS[kind]:
        return None
    return bytes(samples[3 : 3 + int(samples[2])].astype(np.uint8)).decode("utf-8", "replace")
