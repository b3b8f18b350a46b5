"""Browsers as a display: each picture is encoded once for all of them, sound and picture travel together."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from avatard.api.context import Model
from avatard.api.errors import AvatardError
from avatard.api.flow import FPS, SPEECH_RATE, EncodedChunk, Samples, VideoFrame
from avatard.api.pace import TOLERANCE
from avatard.plugins.web import wire
from avatard.plugins.web.client import Client
from avatard.plugins.web.clock import LOOK, PATIENCE, Clock
from avatard.plugins.web.film import Film, Filming
from avatard.plugins.web.outbox import Frame, framed

RECENT = 25
"""Frames that somebody who comes in the middle of an answer may get: those that are handed over and not due yet."""

_numbers = itertools.count(1)


@dataclass(slots=True)
class Answer:
    """The answer in progress."""

    number: int
    clock: Clock
    width: int = 0
    height: int = 0
    sentences: list[dict[str, Any]] = field(default_factory=list)
    picture: bytes = b""
    """The last JPEG"""
    recent: list[tuple[float, Frame, bytes]] = field(default_factory=list)


class BrowserDisplay:
    """Fulfils ``api.stages.DisplaySink`` and ``Follower`` for the browsers of one place."""

    accepts: Literal["frames"] = "frames"

    def __init__(
        self, model: Model, filming: Filming, sounds: bool | None, follows: bool, begun: Callable[[], None]
    ) -> None:
        """Show to nobody yet.

        Args:
            model: ``jpeg.Pictures``.
            filming: makes H.264 of it for who wants that.
            sounds: whether the browsers sound; None: where they are the place's clock.
            follows: whether another display is expected to be the clock.
            begun: called when an answer begins.
        """
        self.clients: set[Client] = set()
        self.answer: Answer | None = None
        self.volume = 100
        self._model, self._filming, self._sounds, self._tell_begun = model, filming, sounds, begun
        self._follow: Callable[[], float] | None = (lambda: 0.0) if follows else None
        self._clock = Clock(0, list)

    @property
    def watching(self) -> list[Client]:
        """Who sees it."""
        return [client for client in self.clients if client.stream != "none"]

    @property
    def pictures(self) -> bool:
        """Whether anybody sees it."""
        return bool(self.watching)

    @property
    def sounds(self) -> bool:
        """Whether the browsers are to sound."""
        return self._follow is None if self._sounds is None else self._sounds

    @property
    def shown(self) -> float:
        """How far the answer was heard, seconds."""
        return self._clock.shown

    @property
    def late(self) -> int:
        """Frames of the answer that came after they were due."""
        return self._clock.late

    def follow(self, shown: Callable[[], float] | None) -> None:
        """Show the pictures by this clock; None: by its own."""
        self._follow = shown

    def position(self) -> float:
        """Where in the answer those are who follow, seconds."""
        return self.shown if self._follow is None else self._follow()

    async def play(self, stream: AsyncIterator[VideoFrame] | AsyncIterator[EncodedChunk]) -> None:
        """Play; return when the last sample was heard. When cancelled, all are silent at once."""
        number = next(_numbers)
        self._clock = Clock(number, lambda: self.clients)
        try:
            async with self._filming.open(self, number) as film:
                async with aclosing(cast("AsyncGenerator[VideoFrame, None]", stream)) as frames:
                    async for frame in frames:
                        await self._take(frame, number, film)
            if self.answer is not None:
                self._tell({"type": "end", "answer": number, "duration": round(self._clock.handed, 3)})
            await (self._clock.until_heard() if self._follow is None else self._until_followed())
        except BaseException:
            self._clear(number)
            raise
        finally:
            self._clock.stop()
            self.answer = None

    async def chime(self, sound: Samples) -> None:
        """Have it played by all that sound."""
        if self.sounds:
            data = wire.binary(wire.CHIME, 0, 0, 0.0, sound.astype("<i2").tobytes())
            for client in self.clients:
                if client.sound and client.stream != "none":
                    client.tell({"type": "chime"})
                    client.put(data)

    def set_volume(self, percent: int) -> None:
        """Have the browsers set their loudness."""
        self.volume = percent
        for client in self.watching:
            client.tell({"type": "setting", "name": "volume", "value": percent})

    def begin(self, client: Client) -> dict[str, Any] | None:
        """What begins the answer in progress for somebody who has just come; ``catch_up`` follows."""
        answer = self.answer
        if answer is None or client.stream == "none":
            return None
        codecs = self._filming.codecs() if client.stream == "h264" else None
        client.playing = "canvas" if codecs is None else "h264"
        return self._beginning(answer, client, codecs)

    def catch_up(self, client: Client) -> None:
        """Give somebody who has just come what is not due yet, and a picture at once."""
        answer = self.answer
        if answer is None or client.playing == "none":
            return
        for sentence in answer.sentences:
            client.tell(sentence)
        if client.playing == "h264":
            self._filming.catch_up(client)
            return
        now = self.position()
        due = [one for one in answer.recent if one[0] + 1 / FPS > now] or answer.recent[-1:]
        for index, (pts, frame, sound) in enumerate(due):
            if index == 0 and not frame.picture and answer.picture:
                frame = framed(answer.number, pts, sound, answer.picture)
            client.outbox.frame(frame, self._sounding(client))

    def refuse_film(self, clients: list[Client]) -> None:
        """The H.264 stream of this answer cannot be had: go on with pictures."""
        if self.answer is None:
            return  # it has not begun: it begins with pictures
        for client in clients:
            client.playing = "canvas"
            client.tell(self._beginning(self.answer, client, None))
            self.catch_up(client)

    def film_begins(self, codecs: str) -> list[Client]:
        """The H.264 stream is there: tell those who want it; return them."""
        waiting = [c for c in self.watching if c.stream == "h264" and c.playing == "none"]
        for client in waiting:
            client.playing = "h264"
            if self.answer is not None:
                client.tell(self._beginning(self.answer, client, codecs))
                for sentence in self.answer.sentences:
                    client.tell(sentence)
        return waiting

    async def _take(self, frame: VideoFrame, number: int, film: Film | None) -> None:
        if self._follow is None:
            await self._clock.ahead(frame.pts)
        answer = self.answer or self._begun(frame, number, film)
        jpeg = await self._jpeg(frame)
        if frame.pixels is not None:
            answer.height, answer.width = frame.pixels.shape[:2]
        if frame.sentence and (not answer.sentences or answer.sentences[-1]["index"] != frame.sentence.index):
            answer.sentences.append({
                "type": "sentence", "answer": number, "index": frame.sentence.index, "text": frame.sentence.text,
                "pts": round(frame.pts, 3),
            })  # fmt: skip
            self._tell(answer.sentences[-1])
        sound = frame.audio.astype("<i2").tobytes()
        one = framed(number, frame.pts, sound, jpeg)
        answer.picture = jpeg or answer.picture
        answer.recent = [*answer.recent[1 - RECENT :], (frame.pts, one, sound)]
        for client in self.watching:
            if client.playing == "canvas":
                client.outbox.frame(one, self._sounding(client))
        if film is not None:
            film.feed(frame)
        self._clock.handed = frame.pts + 1 / FPS

    async def _until_followed(self) -> None:
        """Wait until the other clock has come to the end, or stands still."""
        end = time.monotonic() + self._clock.handed - self.position() + PATIENCE
        while self.position() < self._clock.handed - TOLERANCE and time.monotonic() < end:
            await asyncio.sleep(LOOK)

    def _begun(self, frame: VideoFrame, number: int, film: Film | None) -> Answer:
        height, width = (0, 0) if frame.pixels is None else frame.pixels.shape[:2]
        answer = self.answer = Answer(number, self._clock, width, height)
        self._tell_begun()
        for client in self.watching:
            filmed = client.stream == "h264" and film is not None and not film.failed
            client.playing = "none" if filmed else "canvas"
            if client.playing == "canvas":
                client.tell(self._beginning(answer, client, None))
        return answer

    def _beginning(self, answer: Answer, client: Client, codecs: str | None) -> dict[str, Any]:
        return {
            "type": "begin", "answer": answer.number, "width": answer.width, "height": answer.height, "fps": FPS,
            "rate": SPEECH_RATE, "stream": "canvas" if codecs is None else "h264",
            **({} if codecs is None else {"codecs": codecs}), "follow": not self._sounding(client),
        }  # fmt: skip

    def _sounding(self, client: Client) -> bool:
        return client.sound and self.sounds

    async def _jpeg(self, frame: VideoFrame) -> bytes:
        if frame.pixels is None or not any(client.playing == "canvas" for client in self.watching):
            return b""
        try:
            jpeg: bytes = await self._model.call("jpeg", frame.pixels)
        except AvatardError:
            return b""  # its sound is not lost for that
        return jpeg

    def _tell(self, message: dict[str, Any]) -> None:
        for client in self.watching:
            if client.playing != "none":
                client.tell(message)

    def _clear(self, number: int) -> None:
        if self.answer is None:
            return
        for client in self.watching:
            client.outbox.clear()
            client.tell({"type": "clear", "answer": number})
