"""Options of the platform ``warp``."""

from __future__ import annotations

from pydantic import BaseModel, Field


class RenderConfig(BaseModel, frozen=True, extra="forbid"):
    """A photograph that talks."""

    face: str = Field("default", min_length=1, description="which face: a name of `avatard faces list`, or a file")
    size: int = Field(512, ge=256, le=1024, multiple_of=16, description="width and height of the picture, pixels")
    seed: int = Field(1, ge=0, lt=2**32, description="of its blinks and its small motions")


SCHEMAS: dict[str, type[BaseModel]] = {"render": RenderConfig}
