"""Options of the platform ``linear``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class EchoConfig(BaseModel, frozen=True, extra="forbid"):
    """How much of a room it learns."""

    milliseconds: int = Field(
        384, ge=64, le=1024, description="the longest way from loudspeaker to microphone, milliseconds"
    )


SCHEMAS: dict[str, type[BaseModel]] = {"echo": EchoConfig}
