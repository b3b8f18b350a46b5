"""Options of the platform ``webrtc``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class EchoConfig(BaseModel, frozen=True, extra="forbid"):
    """What is done to the microphone's sound while it speaks."""

    noise_suppression: bool = Field(False, description="also take steady noise away")
    gain: bool = Field(False, description="also make quiet speech louder")
    keep_seconds: float = Field(
        60, ge=1, le=86_400, description="how long its process is kept after the last sound, seconds"
    )


SCHEMAS: dict[str, type[BaseModel]] = {"echo": EchoConfig}
