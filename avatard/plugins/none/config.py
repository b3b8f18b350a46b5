"""Options of the platform ``none``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class DisplayConfig(BaseModel, frozen=True, extra="forbid"):
    """A display that shows nothing."""

    pace: Literal["real", "fast"] = Field("real", description="real: keep real time; fast: as fast as it goes")


class EchoConfig(BaseModel, frozen=True, extra="forbid"):
    """Nothing is done, so no options."""


class RenderConfig(BaseModel, frozen=True, extra="forbid"):
    """No picture, so no options."""


SCHEMAS: dict[str, type[BaseModel]] = {"display": DisplayConfig, "echo": EchoConfig, "render": RenderConfig}
