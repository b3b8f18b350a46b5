"""Options of the platform ``drawn``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class RenderConfig(BaseModel, frozen=True, extra="forbid"):
    """How the face looks."""

    face: Literal["default"] = Field("default", description="which drawn face; there is one")
    palette: Literal["dusk", "mint", "peach", "night"] = Field("dusk", description="its colours")
    size: int = Field(512, ge=128, le=1024, multiple_of=2, description="pixels in width and height")


SCHEMAS: dict[str, type[BaseModel]] = {"render": RenderConfig}
