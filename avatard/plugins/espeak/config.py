"""Options of the platform ``espeak``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class TtsConfig(BaseModel, frozen=True, extra="forbid"):
    """How it speaks."""

    voice: str = Field("", max_length=40, description="espeak-ng voice, e.g. en-gb or de+f3; default: by language")
    rate: int = Field(165, ge=80, le=450, description="words a minute")
    pitch: int = Field(52, ge=0, le=99, description="0 deep to 99 high")


SCHEMAS: dict[str, type[BaseModel]] = {"tts": TtsConfig}
