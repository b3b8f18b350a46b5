"""Options of the platform ``scripted``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Pace = Literal["real", "fast"]


class Event(BaseModel, frozen=True, extra="forbid"):
    """One thing that the microphone hears, or that happens to it."""

    wake: str | None = Field(None, description="a wake phrase")
    say: str | None = Field(None, max_length=400, description="somebody says this")
    silence: float | None = Field(None, ge=0, le=3600, description="seconds of silence")
    fail: str | None = Field(None, description="the device goes away with this message")


class MicrophoneConfig(BaseModel, frozen=True, extra="forbid"):
    """What is heard; silence without a script."""

    script: tuple[Event, ...] = Field((), description="what is heard, in order")
    pace: Pace = Field("real", description="real time, or as fast as it goes")


class WakeWordConfig(BaseModel, frozen=True, extra="forbid"):
    """Hears the scripted microphone's wake phrases."""


class VadConfig(BaseModel, frozen=True, extra="forbid"):
    """Hears the scripted microphone's speech."""


class SttConfig(BaseModel, frozen=True, extra="forbid"):
    """Understands the scripted microphone's speech."""

    fail: bool = Field(False, description="fail at each request")


class ConversationConfig(BaseModel, frozen=True, extra="forbid"):
    """Knows its replies by heart."""

    replies: dict[str, str] = Field({"*": "You said: {}."}, description="what is heard → the reply; * for the rest")
    token_ms: float = Field(0, ge=0, description="milliseconds before each word")
    fail: bool = Field(False, description="fail at each request")
    endless: bool = Field(False, description="never come to an end")


class TtsConfig(BaseModel, frozen=True, extra="forbid"):
    """A tone for each word."""

    seconds_per_word: float = Field(0.3, gt=0, le=10, description="how long a word takes")
    voices: tuple[str, ...] = Field((), description="names of voices; they all sound the same")
    fail: bool = Field(False, description="fail at each sentence")


class RenderConfig(BaseModel, frozen=True, extra="forbid"):
    """A square as bright as the sound is loud."""

    size: int = Field(64, ge=16, le=1024, multiple_of=2, description="pixels in width and height")
    fail: bool = Field(False, description="fail at each answer")


class EncoderConfig(BaseModel, frozen=True, extra="forbid"):
    """Frames' sound behind a length; no video format."""


class DisplayConfig(BaseModel, frozen=True, extra="forbid"):
    """Remembers the last frames that it was shown."""

    screen: bool | None = Field(None, description="whether it begins with its screen on; null: it has none")
    pace: Pace = Field("real", description="real time, or as fast as it goes")


SCHEMAS: dict[str, type[BaseModel]] = {
    "microphone": MicrophoneConfig, "wake_word": WakeWordConfig, "vad": VadConfig, "stt": SttConfig,
    "conversation": ConversationConfig, "tts": TtsConfig, "render": RenderConfig, "encoder": EncoderConfig,
    "display": DisplayConfig,
}  # fmt: skip
