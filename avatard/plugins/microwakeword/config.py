"""Options of the platform ``microwakeword``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, model_validator


class Phrase(BaseModel, frozen=True, extra="forbid"):
    """One wake phrase."""

    name: str = Field("", description="a built-in phrase")
    file: Path | None = Field(None, description="a model of your own: its .json beside its .tflite")
    threshold: float | None = Field(
        None, gt=0, lt=1, description="mean probability that counts; default: as measured, else the model's"
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> Phrase:
        if bool(self.name) == bool(self.file):
            raise ValueError("give either a name (okay_nabu, hey_jarvis, hey_mycroft, alexa) or a file")
        return self


class WakeWordConfig(BaseModel, frozen=True, extra="forbid"):
    """What wakes it."""

    phrases: tuple[Phrase, ...] = Field(
        (Phrase(name="okay_nabu"), Phrase(name="hey_jarvis"), Phrase(name="alexa")), min_length=1,
        description="okay_nabu, hey_jarvis, hey_mycroft, alexa, or {file: …, threshold: …}",
    )  # fmt: skip


class StopWordConfig(BaseModel, frozen=True, extra="forbid"):
    """What stops it."""

    model: Path = Field(
        Path("mww-stop"), description="a model: as 'avatard models' lists it, or its .json beside its .tflite"
    )
    threshold: float = Field(0.8, gt=0, lt=1, description="mean probability that counts")


SCHEMAS: dict[str, type[BaseModel]] = {"wake_word": WakeWordConfig, "stop_word": StopWordConfig}
