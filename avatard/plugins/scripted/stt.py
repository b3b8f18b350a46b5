"""Understands the scripted microphone's speech."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from avatard.api.context import PluginContext
from avatard.api.errors import StageFailed
from avatard.api.flow import AudioFrame, Partial, Transcript
from avatard.api.stages import RecognizerStream, SpeechRecognizer
from avatard.plugins.scripted.code import read
from avatard.plugins.scripted.config import SttConfig


class Stream:
    """One request."""

    def __init__(self, language: str, fail: bool) -> None:
        """Nothing was heard yet."""
        self._language, self._fail, self._text = language, fail, ""

    async def feed(self, frame: AudioFrame) -> Partial | None:
        """Take the next frame."""
        text = read(frame, "speech")
        if text is None or text == self._text:
            return None
        self._text = text
        return Partial(text)

    async def finish(self) -> Transcript:
        """Say what was heard."""
        if self._fail:
            raise StageFailed("stt", "scripted", "as its configuration says")
        return Transcript(self._text, self._language)


class ScriptedRecognizer:
    """Opens requests."""

    def __init__(self, fail: bool) -> None:
        """Fail, or not."""
        self._fail = fail

    @asynccontextmanager
    async def open(self, language: str) -> AsyncIterator[RecognizerStream]:
        """Start on one request."""
        yield Stream(language, self._fail)


@asynccontextmanager
async def async_setup(context: PluginContext, config: SttConfig) -> AsyncIterator[SpeechRecognizer]:
    """Nothing to open."""
    yield ScriptedRecognizer(config.fail)
