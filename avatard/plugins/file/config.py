"""Options of the platform ``file``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field


class MicrophoneConfig(BaseModel, frozen=True, extra="forbid"):
    """Recordings that are heard one after another."""

    path: Path | tuple[Path, ...] = Field(description="a WAV file, or a list of them")
    loop: bool = Field(False, description="start over after the last")
    pace: Literal["real", "fast"] = Field("real", description="real: as they were spoken; fast: as fast as it goes")


class DisplayConfig(BaseModel, frozen=True, extra="forbid"):
    """Where the answers are written."""

    path: Path = Field(description="the MP4 file; it is written anew at each start")
    pace: Literal["real", "fast"] = Field("real", description="real: keep real time; fast: as fast as it goes")


SCHEMAS: dict[str, type[BaseModel]] = {"microphone": MicrophoneConfig, "display": DisplayConfig}
