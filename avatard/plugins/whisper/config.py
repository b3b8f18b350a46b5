"""Options of the platform ``whisper``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class SttConfig(BaseModel, frozen=True, extra="forbid"):
    """Which model listens, and how."""

    model: str = Field(
        ..., min_length=1, max_length=400, description="a model's name in the folder, such as base-q5_1, or its file"
    )
    folder: Path | None = Field(None, description="where the models lie; default: whisper in avatard's state folder")
    language: str = Field("", max_length=8, description="auto, or a code such as de; default: the house's language")
    partials: float = Field(
        0, ge=0, le=10, description="seconds after which what was said so far is shown; 0 waits for the end"
    )
    threads: int = Field(2, ge=1, le=16, description="threads of the network")
    short_context: bool = Field(False, description="look at what was said alone, not at 30 s: much quicker, less sure")
    rejection: float = Field(0.3, ge=0, le=1, description="least mean probability of the words; higher rejects more")


SCHEMAS: dict[str, type[BaseModel]] = {"stt": SttConfig}
