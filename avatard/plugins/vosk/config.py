"""Options of the platform ``vosk``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field


class SttConfig(BaseModel, frozen=True, extra="forbid"):
    """Which model listens, and to what."""

    model: str = Field(
        ..., min_length=1, max_length=400,
        description="a model's name in the folder, such as vosk-model-small-en-us-0.15, or its folder",
    )  # fmt: skip
    folder: Path | None = Field(None, description="where the models lie; default: vosk in avatard's state folder")
    mode: Literal["free", "grammar"] = Field(
        "free", description="free hears any sentence; grammar what the responders understand, and is surer of it"
    )
    rejection: float = Field(0.5, ge=0, le=1, description="least mean confidence of the words; higher rejects more")


SCHEMAS: dict[str, type[BaseModel]] = {"stt": SttConfig}
