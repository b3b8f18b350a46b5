"""Options of the platform ``ffmpeg``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field


class EncoderConfig(BaseModel, frozen=True, extra="forbid"):
    """How ffmpeg encodes."""

    path: Path | None = Field(None, description="the ffmpeg program; default: the system's, else imageio-ffmpeg's")
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = Field(
        "ultrafast", description="libx264's trade of time for size"
    )
    crf: int = Field(23, ge=0, le=51, description="libx264's quality: lower is better")
    audio_kbps: int = Field(128, ge=32, le=320, description="AAC bit rate, kbit/s")


SCHEMAS: dict[str, type[BaseModel]] = {"encoder": EncoderConfig}
