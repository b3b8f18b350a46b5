"""Options of the platform ``sounddevice``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class MicrophoneConfig(BaseModel, frozen=True, extra="forbid"):
    """Which microphone."""

    device: str = Field(
        "", max_length=200,
        description="a part of the device's name; pulse:NAME or alsa:NAME where both have it; default: the system's",
    )  # fmt: skip
    channel: int = Field(0, ge=0, le=32, description="which of its channels is heard, from 1; 0: the first two, mixed")
    watch: bool = Field(True, description="whether zeros and repeated sound count as a fault of the microphone")


SCHEMAS: dict[str, type[BaseModel]] = {"microphone": MicrophoneConfig}
