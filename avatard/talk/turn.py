"""A turn: the stages joined as streams, each a bounded way ahead of the next. To interrupt is to cancel its task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import cast

from avatard.api.errors import ConfigError, NotReady, OutOfMemory, StageFailed
from avatard.api.flow import FPS, MORE, ReplyToken, Sentence, SpeechAudio, VideoFrame
from avatard.api.news import News, Replied, ReplyText, SentenceSpoken
from avatard.talk.plain import said
from avatard.talk.reels import Filming, Reel
from avatard.talk.resampler import Resampler
from avatard.talk.runs import Keep, Known, Piece
from avatard.talk.sentences import split
from avatard.talk.showing import Showing
from avatard.talk.spoken import Spoken
from avatard.talk.streams import Drain, Lookahead
from avatard.talk.timeline import Timeline
from avatard.talk.voice import Voice

TOKENS_AHEAD, SENTENCES_AHEAD, SPEECH_AHEAD, FRAMES_AHEAD = 64, 64, 16, 10
"""How far each stage may run ahead: tokens, whole sentences, pieces of sound, frames (0.4 s at 25 fps)."""
FILLER_AFTER = 1.5
"""Seconds without a word of the reply after which the filler is said."""
FOLLOW_SECONDS = 0.1
"""How often what was really heard is looked at."""


class Answer:
    """One reply on its way from text to what was heard."""

    def __init__(
        self, turn: int, voice: Voice, news: News, timeline: Timeline, language: str, alive: Callable[[], None],
        fixed: str = "", filler: str = "",
    ) -> None:  # fmt: skip
        """Nothing was said yet; ``alive`` is called while the answer goes on.

        A ``fixed`` text is all that is said, and likely to be said again. The ``filler`` is said where the reply
        keeps one waiting.
        """
        self._fixed, self._key, self._filler = fixed, "", filler
        self._showing = Showing(voice)
        self._alive = alive
        self.text = ""
        self.spoken = Spoken()
        self.complete = False
        self._all_noted = False
        self._ended: float | None = None
        """How far it was heard, seconds, once it has ended: after that the displays tell of what comes next."""
        self._turn, self._voice, self._news = turn, voice, news
        self._timeline, self._language = timeline, language
        self._told = 0
        self._sentences: list[Sentence] = []

    @property
    def unsaid(self) -> str:
        """What was still to be said, from the sentence on that was cut off; ``MORE`` ends what had not all come."""
        if self.complete:
            return ""
        heard = {sentence.index for sentence in self.spoken.sentences(self._shown, False)}
        rest = [s.text for s in self._sentences if not (s.aside or s.index in heard)]
        return " ".join(rest if self._all_noted else [*rest, MORE])

    @property
    def asks(self) -> bool:
        """Whether the last that was said is a question."""
        return self.text.rstrip().endswith(("?", "？"))

    @property
    def said(self) -> str:
        """What was really heard of it."""
        return self.spoken.text(self._shown, self.complete)

    @property
    def _shown(self) -> float:
        return self._voice.displays.shown if self._ended is None else self._ended

    async def give(self, tokens: AsyncIterator[ReplyToken], begins: Callable[[], None]) -> None:
        """Speak and show the reply; return when its last sample was heard.

        Args:
            tokens: the reply's text.
            begins: called when the first frame is handed to the displays.

        Raises:
            StageFailed, NotReady, OutOfMemory: (in an ExceptionGroup) the turn is lost.
        """
        own = self._voice.own
        with own.speaking(self.spoken.texts) as speaking:
            def first() -> None:
                if speaking.given is None:
                    speaking.given = time.monotonic()
                if "first_frame" not in self._timeline.marks:
                    self._timeline.mark("first_frame")
                    begins()

            try:
                async with asyncio.TaskGroup() as tasks:
                    ahead = Lookahead(tasks)
                    frames, film = self._frames(tokens, tasks, ahead)
                    rehearsed = own.rehearsed(self.spoken.through(frames), speaking)
                    follower = tasks.create_task(self._follow())
                    await self._voice.displays.play(ahead(rehearsed, FRAMES_AHEAD), first, film)
                    follower.cancel()
                    ahead.end()
            finally:
                self._ended = self._voice.displays.shown
        self.complete = True
        self._tell()
        if isinstance(film, Filming):
            self._keep(film.reel())

    def _frames(
        self, tokens: AsyncIterator[ReplyToken], tasks: asyncio.TaskGroup, ahead: Lookahead
    ) -> tuple[AsyncGenerator[VideoFrame, None], Reel | Filming | None]:
        if self._filler:
            tokens = with_filler(ahead(tokens, TOKENS_AHEAD), self._filler)
        noted, film = self._noted(tokens), self._film()
        if isinstance(film, Reel):
            return self._again(noted, film), film
        sentences = self._noting(said(split(ahead(noted, TOKENS_AHEAD), self._language)))
        spoken = self._speech(ahead(sentences, SENTENCES_AHEAD))
        frames = self._showing.frames(ahead(spoken, SPEECH_AHEAD), tasks)
        return frames if film is None else film.frames(frames), film

    def _film(self) -> Reel | Filming | None:
        """What was kept of the whole announcement; where nothing was, who films it."""
        phrases, displays = self._voice.phrases, self._voice.displays
        # A film has no lead-in: what is said after a quiet time is not filmed, nor shown from a film.
        if not self._fixed or not phrases.longest or not displays.encoded or displays.lead_in:
            return None
        self._key = self._voice.reel_key(self._fixed, self._language)
        reel = phrases.find_reel(self._key)
        return reel if reel is not None and displays.can_show(reel) else Filming(phrases.longest)

    def _keep(self, reel: Reel | None) -> None:
        same = self._key == self._voice.reel_key(self._fixed, self._language)
        if reel is not None and self._showing.whole and same:
            self._voice.phrases.keep(self._key, reel)

    async def _again(self, noted: AsyncIterator[ReplyToken], reel: Reel) -> AsyncGenerator[VideoFrame, None]:
        async for _ in noted:
            self._timeline.mark("first_audio")
        for sentence in filter(None, reel.sentences):
            self.spoken.lasts(sentence.index, 1 / FPS, True)
        async with aclosing(reel.frames()) as frames:
            async for frame in frames:
                yield frame

    async def _noted(self, tokens: AsyncIterator[ReplyToken]) -> AsyncGenerator[ReplyToken, None]:
        async with aclosing(cast("AsyncGenerator[ReplyToken, None]", tokens)):
            async for token in tokens:
                if token.aside:
                    yield token
                    continue
                self._timeline.mark("first_token")
                self.text += token.text
                self._news.publish(ReplyText(self._turn, token.text))
                yield token
        self._news.publish(Replied(self._turn, self.text.strip()))

    async def _noting(self, sentences: AsyncGenerator[Sentence, None]) -> AsyncGenerator[Sentence, None]:
        async with aclosing(sentences):
            async for sentence in sentences:
                self._sentences.append(sentence)
                yield sentence
        self._all_noted = True

    async def _speech(self, sentences: AsyncIterator[Sentence]) -> AsyncGenerator[Piece, None]:
        seconds = 0.0
        phrases = self._voice.phrases
        async for sentence in sentences:
            key = self._voice.key(sentence)
            if (phrase := phrases.find(key)) is not None:
                self._timeline.mark("first_audio")
                seconds += phrase.seconds
                self.spoken.lasts(sentence.index, phrase.seconds, True)
                yield Known(sentence, phrase)
            else:
                if phrases.worth(key, bool(self._fixed)):
                    yield Keep(key)
                async with aclosing(self._sentence(sentence)) as pieces:
                    async for piece in pieces:
                        self._timeline.mark("first_audio")
                        seconds += len(piece.audio) / piece.rate
                        self.spoken.lasts(sentence.index, len(piece.audio) / piece.rate, piece.last)
                        yield piece
                        if seconds > self._voice.longest:
                            return
            if seconds > self._voice.longest:
                return

    async def _sentence(self, sentence: Sentence) -> AsyncGenerator[SpeechAudio, None]:
        while True:
            engine = await self._voice.tts.engine()
            resampler, rate = Resampler(), 0
            try:
                async with aclosing(cast("AsyncGenerator[SpeechAudio, None]", engine.speak(sentence))) as pieces:
                    async for piece in pieces:
                        rate = piece.rate
                        yield resampler(piece)
                return
            except (StageFailed, NotReady, OutOfMemory, ConfigError) as err:
                if not self._voice.tts.give_up(engine, err):
                    raise
                # How much of the sentence was said nobody knows: the next engine says it from its beginning.
                if rate:
                    yield resampler.rest(sentence, rate)

    async def _follow(self) -> None:
        shown = -1.0
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            if shown != (shown := self._voice.displays.shown):
                self._alive()
            self._tell()

    def _tell(self) -> None:
        heard = self.spoken.sentences(self._shown, self.complete)
        for sentence in heard[self._told :]:
            self._news.publish(SentenceSpoken(self._turn, sentence))
        self._told = max(self._told, len(heard))


async def tokens_of(text: str) -> AsyncGenerator[ReplyToken, None]:
    """A finished text as a reply."""
    yield ReplyToken(text)


async def with_filler(tokens: Drain[ReplyToken], filler: str) -> AsyncGenerator[ReplyToken, None]:
    """Pass the reply on; where it does not begin in time, say so first."""
    first: ReplyToken | None = ReplyToken(filler, aside=True)
    try:
        async with asyncio.timeout(FILLER_AFTER):
            first = await anext(tokens, None)
    except TimeoutError:
        pass  # the reply is not lost: it goes on below
    if first is not None:
        yield first
    async for token in tokens:
        yield token
