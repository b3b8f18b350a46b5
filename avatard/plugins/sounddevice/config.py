"""Options of the platform ``sounddevice``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class MicrophoneConfig(BaseModel, frozen=True, extra="forbid"):
    """Which microphone."""

    device: str = Field("", max_length=200, description="a part of the device's name; default: the system's default")


SCHEMAS: dict[str, type[BaseModel]] = {"microphone": MicrophoneConfig}
