"""Options of the platform ``ffmpeg``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator

Name = Literal["nvmpi", "v4l2m2m", "rkmpp", "qsv", "vaapi", "nvenc", "libx264"]


class EncoderConfig(BaseModel, frozen=True, extra="forbid"):
    """How ffmpeg encodes."""

    path: Path | None = Field(None, description="the ffmpeg program; default: the system's, else imageio-ffmpeg's")
    encoder: Literal["auto"] | Name = Field(
        "auto", description="auto: the first that is proved to work here; or one of ffmpeg's H.264 encoders"
    )
    device: Path | None = Field(
        None, description="for vaapi and qsv: the render node; default: the first, /dev/dri/renderD128"
    )
    quality: Literal["low", "medium", "high"] = Field("medium", description="sets crf, or the bit rate by the size")
    bitrate_kbps: int | None = Field(
        None, ge=100, le=50_000, description="the picture's bit rate, kbit/s; default: by quality and size"
    )
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = Field(
        "ultrafast", description="libx264's trade of time for size"
    )
    crf: int | None = Field(
        None, ge=0, le=51, description="libx264's quality, lower is better, where no bit rate is set"
    )
    fps: float = Field(25.0, description="25, or 12.5: every second picture is left out, the sound stays whole")
    max_width: int | None = Field(None, ge=64, le=7680, description="a wider picture is made smaller in proportion")
    max_height: int | None = Field(None, ge=64, le=4320, description="a higher picture is made smaller in proportion")
    audio_kbps: int = Field(128, ge=32, le=320, description="AAC bit rate, kbit/s")

    @field_validator("fps")
    @classmethod
    def _whole_pictures(cls, fps: float) -> float:
        if fps not in (25.0, 12.5):
            raise ValueError("pictures come 25 times a second: 25 or 12.5 would be right")
        return fps


SCHEMAS: dict[str, type[BaseModel]] = {"encoder": EncoderConfig}
