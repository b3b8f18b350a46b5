"""Options of the platform ``speaker``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class DisplayConfig(BaseModel, frozen=True, extra="forbid"):
    """Which sound card."""

    device: str = Field("", max_length=200, description="a part of the device's name; default: the system's default")
    linger_seconds: float = Field(5, ge=0, le=600, description="how long the device stays open after the last sound")


SCHEMAS: dict[str, type[BaseModel]] = {"display": DisplayConfig}
