"""Options of the platform ``piper``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class TtsConfig(BaseModel, frozen=True, extra="forbid"):
    """Which voice speaks, and how."""

    voice: str = Field(..., min_length=1, max_length=400, description="a voice's name in the folder, or its .onnx file")
    folder: Path | None = Field(None, description="where the voices lie; default: piper in avatard's state folder")
    speaker: str | int | None = Field(None, description="name or number, where the voice has several")
    speed: float = Field(1.0, ge=0.4, le=2.5, description="1 as the voice was made, higher is faster")
    noise: float | None = Field(None, ge=0, le=1.5, description="how much the sound varies; default: the voice's own")
    rhythm: float | None = Field(None, ge=0, le=1.5, description="how much the rhythm varies; default: the voice's own")
    threads: int = Field(2, ge=1, le=16, description="threads of the network")


SCHEMAS: dict[str, type[BaseModel]] = {"tts": TtsConfig}
