"""Options of the platform ``pocketsphinx``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class SttConfig(BaseModel, frozen=True, extra="forbid"):
    """How sure it must be."""

    rejection: float = Field(
        -0.1, ge=-2, le=2, description="least log-score advantage over a free phone loop; higher rejects more"
    )


class StopWordConfig(BaseModel, frozen=True, extra="forbid"):
    """How sure it must be."""

    advantage: float = Field(
        -0.1, ge=-2, le=2, description="least log-score advantage over a free phone loop, a second; higher rejects more"
    )


SCHEMAS: dict[str, type[BaseModel]] = {"stt": SttConfig, "stop_word": StopWordConfig}
