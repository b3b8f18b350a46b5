"""Finished sentences: what is said again is neither spoken nor drawn again."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import numpy as np

from avatard.api.flow import FPS, FRAME_SAMPLES, Samples, Sentence, VideoFrame
from avatard.talk.pictures import Packed, Packer, Unpacker
from avatard.talk.reels import Reel

REMEMBERED = 1000
"""Sentences of which it is known that they were said."""
SHARE = 0.5
"""Of the room, that one sentence may take."""


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """A finished sentence: frame by frame its sound, and its picture where there is one."""

    sound: Samples
    """48 kHz, a whole number of frames."""
    pictures: tuple[Packed | None, ...]
    """None repeats the last."""

    @property
    def bytes(self) -> int:
        """What it takes."""
        return self.sound.nbytes + sum(picture.bytes for picture in self.pictures if picture is not None)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pictures) / FPS

    async def frames(self, sentence: Sentence) -> AsyncGenerator[VideoFrame, None]:
        """Yield its frames as those of this sentence."""
        unpacker = Unpacker()
        for index, picture in enumerate(self.pictures):
            await asyncio.sleep(0)
            sound = self.sound[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES]
            yield VideoFrame(None if picture is None else unpacker.unpack(picture), sound, index / FPS, sentence)


class Phrases:
    """The sentences and announcements that are kept, the least recently used goes first. Fulfils ``api.Cache``."""

    def __init__(self, megabytes: float) -> None:
        """Keep so much; 0 keeps nothing."""
        self.hits = self.misses = self.dropped = 0
        """Sentences that were here, that were not, and that had to make room."""
        self._room = int(megabytes * 1e6)
        self._kept: OrderedDict[str, Phrase | Reel] = OrderedDict()
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._bytes = 0

    @property
    def megabytes(self) -> float:
        """What is kept now."""
        return self._bytes / 1e6

    @property
    def longest(self) -> int:
        """Bytes that one sentence may take."""
        return int(self._room * SHARE)

    def shed(self) -> None:
        """Drop it all."""
        self.dropped += len(self._kept)
        self._kept.clear()
        self._bytes = 0

    def find(self, key: str) -> Phrase | None:
        """The sentence, if it is here."""
        phrase = self._kept.get(key)
        if not isinstance(phrase, Phrase):
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end(key)
        return phrase

    def find_reel(self, key: str) -> Reel | None:
        """The announcement, if it is here."""
        reel = self._kept.get(key)
        if not isinstance(reel, Reel):
            return None
        self._kept.move_to_end(key)
        return reel

    def worth(self, key: str, fixed: bool) -> bool:
        """Whether the sentence should be kept: an announcement is likely to come again, a reply if it did already."""
        if not self._room:
            return False
        again = key in self._heard
        self._heard[key] = None
        self._heard.move_to_end(key)
        if len(self._heard) > REMEMBERED:
            self._heard.popitem(last=False)
        return fixed or again

    def keep(self, key: str, phrase: Phrase | Reel) -> None:
        """Keep it; what was not used for longest makes room."""
        if phrase.bytes > self.longest:
            return
        if (old := self._kept.pop(key, None)) is not None:
            self._bytes -= old.bytes
        self._kept[key] = phrase
        self._bytes += phrase.bytes
        while self._bytes > self._room:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= gone.bytes
            self.dropped += 1


class Recorder:
    """Takes a sentence's frames as they go by."""

    def __init__(self, longest: int) -> None:
        """Take at most so many bytes."""
        self._longest, self._bytes = longest, 0
        self._sound: list[Samples] = []
        self._pictures: list[Packed | None] = []
        self._packer = Packer()

    def take(self, frame: VideoFrame) -> None:
        """Take the next frame."""
        if self._bytes > self._longest:
            return
        packed = None if frame.pixels is None else self._packer.pack(frame.pixels)
        self._sound.append(frame.audio)
        self._pictures.append(packed)
        self._bytes += frame.audio.nbytes + (0 if packed is None else packed.bytes)

    def phrase(self, pictures: bool) -> Phrase | None:
        """What was taken; None where that is not a whole sentence: too long, or pictures are missing in it."""
        whole = all((picture is not None) == pictures for picture in self._pictures)
        if not self._pictures or not whole or self._bytes > self._longest:
            return None
        return Phrase(np.concatenate(self._sound), tuple(self._pictures))


def key_of(sentence: Sentence, *made_by: object) -> str:
    """The content hash of a sentence as said by this voice, and shown by this face."""
    text = repr((sentence.text, sentence.language, made_by))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
