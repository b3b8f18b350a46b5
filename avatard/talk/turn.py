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
from avatard.talk.performance import Progress
from avatard.talk.phrases import Phrases, Recorder, key_of
from avatard.talk.ranking import Ranking
from avatard.talk.runs import Keep, Known, Piece, Run, Runs
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
    phrases: Phrases
    """Finished sentences."""
    longest: float
    """Seconds of speech in one reply; the rest is left out."""


class Answer:
    """One reply on its way from text to what was heard."""

    def __init__(
        self, turn: int, voice: Voice, news: News, timeline: Timeline, language: str, alive: Callable[[], None],
        fixed: bool = False,
    ) -> None:  # fmt: skip
        """Nothing was said yet; ``alive`` is called while the answer goes on.

        A ``fixed`` text is likely to be said again.
        """
        self._fixed = fixed
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

    async def _speech(self, sentences: AsyncIterator[Sentence]) -> AsyncGenerator[Piece, None]:
        seconds = 0.0
        phrases = self._voice.phrases
        async for sentence in sentences:
            key = self._key(sentence)
            if (phrase := phrases.find(key)) is not None:
                self._timeline.mark("first_audio")
                seconds += phrase.seconds
                yield Known(sentence, phrase)
            else:
                if phrases.worth(key, self._fixed):
                    yield Keep(key)
                async with aclosing(self._sentence(sentence)) as pieces:
                    async for piece in pieces:
                        self._timeline.mark("first_audio")
                        seconds += len(piece.audio) / piece.rate
                        yield piece
                        if seconds > self._voice.longest:
                            return
            if seconds > self._voice.longest:
                return

    def _key(self, sentence: Sentence) -> str:
        """The sentence as it is said and shown by those who serve."""
        voice = self._voice
        shown = (voice.render,) if voice.displays.pictures else ()
        return key_of(sentence, *((r.stage, r.position, getattr(r.serving, "chosen", "")) for r in (voice.tts, *shown)))

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

    async def _drawn(self, pieces: Drain[Piece], tasks: asyncio.TaskGroup) -> AsyncGenerator[VideoFrame, None]:
        """The frames of what is drawn, and of what was kept, as one."""
        progress = Progress(tasks, self._voice.displays.hurried)
        seam = False
        async for run in Runs(pieces):
            if seam or isinstance(run, Known):
                progress.blend.begin()
            seam = isinstance(run, Known)
            frames = self._again(run, progress) if isinstance(run, Known) else self._kept(run, progress)
            async with aclosing(frames):
                async for frame in frames:
                    yield frame

    async def _again(self, known: Known, progress: Progress) -> AsyncGenerator[VideoFrame, None]:
        async with aclosing(known.phrase.frames(known.sentence)) as frames:
            async for frame in frames:
                yield progress.frame(frame.pixels, frame.audio, known.sentence)

    async def _kept(self, run: Run, progress: Progress) -> AsyncGenerator[VideoFrame, None]:
        """Draw with whichever renderer keeps up, or, where nobody looks, only cut; keep what is to be kept."""
        voice, recorder = self._voice, Recorder(self._voice.phrases.longest)
        pictures, sentence = voice.displays.pictures, None
        frames = voice.ladder.draw(run, progress) if pictures else self._cut(run, progress)
        async with aclosing(frames):
            async for frame in frames:
                sentence = frame.sentence
                if run.key is not None:
                    recorder.take(frame)
                yield frame
        # Whoever has taken over meanwhile said or showed it otherwise.
        fine = run.key is not None and sentence is not None and run.key == self._key(sentence) and run.whole
        if fine and progress.whole and (voice.ladder.best or not pictures):
            phrase = recorder.phrase(pictures)
            if phrase is not None and run.key is not None:
                voice.phrases.keep(run.key, phrase)

    async def _cut(self, run: Run, progress: Progress) -> AsyncGenerator[VideoFrame, None]:
        async with aclosing(cast("AsyncGenerator[VideoFrame, None]", self._voice.unseen.render(run))) as frames:
            async for frame in frames:
                assert frame.sentence is not None
                yield progress.frame(None, frame.audio, frame.sentence)

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

