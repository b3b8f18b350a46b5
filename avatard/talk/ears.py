"""Ears: one request, from voice activity and streaming recognition to its text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from avatard.api.errors import ConfigError, NotReady, OutOfMemory, StageFailed
from avatard.api.flow import AudioFrame, Transcript
from avatard.api.news import HeardPartly, News
from avatard.api.stages import RecognizerStream, SpeechRecognizer, VoiceActivityDetector
from avatard.talk.endpoint import Endpoint, ListeningLimits
from avatard.talk.ranking import Ranking
from avatard.talk.streams import Hearing

CHIME_TAIL = 0.15
"""Seconds that a room rings on after our own beep."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came out of one request."""

    transcript: Transcript | None
    """None where nobody spoke."""
    speech_end: float = 0.0
    """Position in the microphone's stream, seconds."""
    speech_end_clock: float = 0.0
    """Monotonic seconds"""


class Ears:
    """The engines that turn one request into text."""

    def __init__(
        self, vad: VoiceActivityDetector, stt: Ranking[SpeechRecognizer], limits: ListeningLimits, news: News,
    ) -> None:  # fmt: skip
        """Use these engines for every request."""
        self._vad, self._stt, self._limits, self._news = vad, stt, limits, news

    async def hear(self, hearing: Hearing, begins: float | None, language: str, chime_seconds: float) -> Heard:
        """Follow a request to its end.

        Args:
            hearing: its frames, which may begin a little before ``begins``.
            begins: where the wake phrase was completed, seconds in the microphone's stream; None where there was none.
            chime_seconds: how long our beep sounds from there on: it is never heard as speech.
        """
        endpoint: Endpoint | None = None
        async with self._vad.open() as voice, self._recognizing(language) as words:
            last: AudioFrame | None = None
            async for frame in hearing:
                last = frame
                endpoint = endpoint or self._endpoint(frame.at if begins is None else begins, chime_seconds)
                probability = await voice.feed(frame)
                if partial := await words.feed(frame):
                    self._news.publish(HeardPartly(partial.text))
                    endpoint.complete = partial.complete
                verdict = endpoint.feed(frame, probability)
                if verdict == "nobody":
                    return Heard(None)
                if verdict:
                    break
            if last is None or endpoint is None or endpoint.speech_end is None:
                return Heard(None)
            transcript = await words.finish()
            return Heard(transcript, endpoint.speech_end, last.captured - (last.end - endpoint.speech_end))

    def _endpoint(self, begins: float, chime_seconds: float) -> Endpoint:
        endpoint = Endpoint(self._limits, begins)
        if chime_seconds:
            endpoint.mask(begins + chime_seconds + CHIME_TAIL)
        return endpoint

    @asynccontextmanager
    async def _recognizing(self, language: str) -> AsyncIterator[RecognizerStream]:
        """Open the recogniser that serves; where it does not open, the next one: nothing was heard yet."""
        async with AsyncExitStack() as stack:
            words: RecognizerStream | None = None
            while words is None:
                recognizer = await self._stt.engine()
                try:
                    words = await stack.enter_async_context(recognizer.open(language))
                except (StageFailed, NotReady, OutOfMemory, ConfigError) as err:
                    if not self._stt.give_up(recognizer, err):
                        raise
            yield words
