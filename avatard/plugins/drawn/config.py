"""Options of the platform ``drawn``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Palette = Literal["apricot", "pear", "blueberry", "plum"]


class RenderConfig(BaseModel, frozen=True, extra="forbid"):
    """A face drawn by code."""

    face: Literal["default"] = Field("default", description="which face")
    palette: Palette = Field("apricot", description="its colours")
    size: int = Field(512, ge=256, le=1024, multiple_of=16, description="width and height of the picture, pixels")
    seed: int = Field(1, ge=0, lt=2**32, description="of its blinks and glances")


SCHEMAS: dict[str, type[BaseModel]] = {"render": RenderConfig}
