"""Options of the platform ``silero_onnx``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class VadConfig(BaseModel, frozen=True, extra="forbid"):
    """Which file detects; what counts as speech is ``listening: vad_threshold``."""

    model: Path | None = Field(None, description="a silero_vad.onnx; default: the one of the package silero-vad")


SCHEMAS: dict[str, type[BaseModel]] = {"vad": VadConfig}
