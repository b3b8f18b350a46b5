"""Options of the platform ``openwakeword``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, model_validator


class Phrase(BaseModel, frozen=True, extra="forbid"):
    """One wake phrase."""

    name: str = Field("", description="a built-in phrase")
    file: Path | None = Field(None, description="a model of your own: a .tflite")
    threshold: float | None = Field(None, gt=0, lt=1, description="probability that counts; default 0.5")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> Phrase:
        if bool(self.name) == bool(self.file):
            raise ValueError("give either a name (okay_nabu, hey_jarvis, hey_mycroft, hey_rhasspy, alexa) or a file")
        return self


class WakeWordConfig(BaseModel, frozen=True, extra="forbid"):
    """What wakes it."""

    phrases: tuple[Phrase, ...] = Field(
        (Phrase(name="okay_nabu"), Phrase(name="hey_jarvis"), Phrase(name="alexa")), min_length=1,
        description="okay_nabu, hey_jarvis, hey_mycroft, alexa, or {file: …, threshold: …}",
    )  # fmt: skip


SCHEMAS: dict[str, type[BaseModel]] = {"wake_word": WakeWordConfig}
