"""How far an answer is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from avatard.api.flow import FPS, Pixels, Samples, Sentence, VideoFrame
from avatard.talk.blend import Blend
from avatard.talk.tempo import FRAME


@dataclass(slots=True)
class Progress:
    """How far an answer is, from one run to the next."""

    tasks: asyncio.TaskGroup
    """Where renderers work; their tasks end with the answer."""
    hurried: bool
    """Whether the frames are needed in real time."""
    blend: Blend = field(default_factory=Blend)
    count: int = 0
    """Frames that were handed on."""
    start: float = 0.0
    """When the first of them was due, if all had come in time; monotonic seconds."""
    whole: bool = True
    """Whether the last run was drawn from end to end by one renderer, each picture in time."""

    def lead(self, now: float) -> float:
        """Seconds until the frame is due that comes next."""
        return self.start + self.count * FRAME - now

    def restart(self, now: float) -> None:
        """The frame that comes next is due now."""
        self.start = now - self.count * FRAME

    def frame(self, picture: Pixels | None, sound: Samples, sentence: Sentence) -> VideoFrame:
        """Hand on the next frame."""
        frame = VideoFrame(self.blend.show(picture), sound, self.count / FPS, sentence)
        self.count += 1
        return frame
