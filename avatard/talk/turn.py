"""A turn: the stages joined as streams, each a bounded way ahead of the next. To interrupt is to cancel its task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from avatard.api.errors import NotReady, OutOfMemory, StageFailed
from avatard.api.flow import SPEECH_RATE, ReplyToken, Samples, Sentence, SpeechAudio, VideoFrame
from avatard.api.news import News, Replied, ReplyText, SentenceSpoken
from avatard.api.stages import LipSyncRenderer, SpeechSynthesizer
from avatard.talk.displays import Displays, Spoken
from avatard.talk.ladder import Ladder
from avatard.talk.ranking import Ranking
from avatard.talk.sentences import split
from avatard.talk.streams import Drain, Lookahead
from avatard.talk.timeline import Timeline

SENTENCES_AHEAD, SPEECH_AHEAD, FRAMES_AHEAD = 4, 16, 10
"""How far each stage may run ahead: whole sentences, pieces of sound, frames (0.4 s at 25 fps)."""
FOLLOW_SECONDS = 0.1
"""How often what was really heard is looked at."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What an answer needs once its text is there."""

    tts: Ranking[SpeechSynthesizer]
    render: Ranking[LipSyncRenderer]
    ladder: Ladder
    """Draws with the renderers of ``render``."""
    unseen: LipSyncRenderer
    """Cuts frames without pictures, where nobody sees the face."""
    displays: Displays
    longest: float
    """Seconds of speech in one reply; the rest is left out."""


class Answer:
    """One reply on its way from text to what was heard."""

    def __init__(
        self, turn: int, voice: Voice, news: News, timeline: Timeline, language: str, alive: Callable[[], None]
    ) -> None:
        """Nothing was said yet; ``alive`` is called while the answer goes on."""
        self._alive = alive
        self.text = ""
        self.spoken = Spoken()
        self.complete = False
        self._turn, self._voice, self._news = turn, voice, news
        self._timeline, self._language = timeline, language
        self._told = 0

    @property
    def said(self) -> str:
        """What was really heard of it."""
        return self.spoken.text(self._voice.displays.shown, self.complete)

    async def give(self, tokens: AsyncIterator[ReplyToken], begins: Callable[[], None]) -> None:
        """Speak and show the reply; return when its last sample was heard.

        Args:
            tokens: the reply's text.
            begins: called when the first frame is handed to the displays.

        Raises:
            StageFailed, NotReady, OutOfMemory: (in an ExceptionGroup) the turn is lost.
        """
        def first() -> None:
            if "first_frame" not in self._timeline.marks:
                self._timeline.mark("first_frame")
                begins()

        async with asyncio.TaskGroup() as tasks:
            ahead = Lookahead(tasks)
            sentences = ahead(split(self._noted(tokens), self._language), SENTENCES_AHEAD)
            speech = ahead(self._speech(sentences), SPEECH_AHEAD)
            frames = ahead(self.spoken.through(self._drawn(speech, tasks)), FRAMES_AHEAD)
            follower = tasks.create_task(self._follow())
            await self._voice.displays.play(frames, first)
            follower.cancel()
            ahead.end()
        self.complete = True
        self._tell()

    async def _noted(self, tokens: AsyncIterator[ReplyToken]) -> AsyncGenerator[ReplyToken, None]:
        async with aclosing(cast("AsyncGenerator[ReplyToken, None]", tokens)):
            async for token in tokens:
                self._timeline.mark("first_token")
                self.text += token.text
                self._news.publish(ReplyText(self._turn, token.text))
                yield token
        self._news.publish(Replied(self._turn, self.text.strip()))

    async def _speech(self, sentences: AsyncIterator[Sentence]) -> AsyncGenerator[SpeechAudio, None]:
        seconds = 0.0
        async for sentence in sentences:
            async with aclosing(self._sentence(sentence)) as pieces:
                async for piece in pieces:
                    self._timeline.mark("first_audio")
                    seconds += len(piece.audio) / piece.rate
                    yield piece
                    if seconds > self._voice.longest:
                        return

    async def _sentence(self, sentence: Sentence) -> AsyncGenerator[SpeechAudio, None]:
        while True:
            engine = await self._voice.tts.engine()
            begun = False
            try:
                async with aclosing(cast("AsyncGenerator[SpeechAudio, None]", engine.speak(sentence))) as pieces:
                    resampler = Resampler()
                    async for piece in pieces:
                        begun = True
                        yield resampler(piece)
                return
            except (StageFailed, NotReady, OutOfMemory) as err:
                # Before its first sound the sentence can still be said by the next engine.
                if begun or not self._voice.tts.step_down(err):
                    raise

    def _drawn(self, speech: Drain[SpeechAudio], tasks: asyncio.TaskGroup) -> AsyncGenerator[VideoFrame, None]:
        """Draw with whichever renderer keeps up; where nobody looks, only cut the sound into frames."""
        voice = self._voice
        if voice.displays.pictures:
            return voice.ladder.draw(speech, tasks, voice.displays.hurried)
        return cast("AsyncGenerator[VideoFrame, None]", voice.unseen.render(speech))

    async def _follow(self) -> None:
        shown = -1.0
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            if shown != (shown := self._voice.displays.shown):
                self._alive()
            self._tell()

    def _tell(self) -> None:
        heard = self.spoken.sentences(self._voice.displays.shown, self.complete)
        for sentence in heard[self._told :]:
            self._news.publish(SentenceSpoken(self._turn, sentence))
        self._told = max(self._told, len(heard))


class Resampler:
    """The voice's rate to 48 kHz, streaming over a sentence's pieces; libsoxr."""

    def __init__(self) -> None:
        """Learn the rate from the first piece."""
        self._stream: Any = None

    def __call__(self, piece: SpeechAudio) -> SpeechAudio:
        """Resample one piece; the last one brings what is still inside."""
        if piece.rate == SPEECH_RATE:
            return piece
        if self._stream is None:
            import soxr

            self._stream = soxr.ResampleStream(piece.rate, SPEECH_RATE, 1, dtype="int16", quality="HQ")
        audio: Samples = self._stream.resample_chunk(np.ascontiguousarray(piece.audio), last=piece.last)
        return SpeechAudio(piece.sentence, audio, SPEECH_RATE, piece.last)


async def tokens_of(text: str) -> AsyncGenerator[ReplyToken, None]:
    """A finished text as a reply."""
    yield ReplyToken(text)

