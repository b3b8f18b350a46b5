"""Options of the platform ``screen``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class DisplayConfig(BaseModel, frozen=True, extra="forbid"):
    """Which display, and how the face fills it."""

    program: Literal["auto", "mpv", "ffplay"] = Field("auto", description="the player; auto: mpv where it is there")
    monitor: str | int = Field(
        "", description="its name (HDMI-A-1) or number from 0, where there are several; default: the first"
    )
    rotate: Literal[0, 90, 180, 270] = Field(0, description="degrees clockwise")
    scale: Literal["fit", "fill", "none"] = Field(
        "fit", description="fit: all of the picture is seen; fill: all of the display is used; none: pixel for pixel"
    )
    fullscreen: bool = Field(True, description="without a window's frame, over all else")
    sound: bool = Field(True, description="whether it speaks too; it never does where another display is the clock")
    device: str = Field(
        "", max_length=200, description="the sound device as 'mpv --audio-device=help' lists it; default: the system's"
    )
    chime: bool = Field(
        True, description="whether short sounds are heard too: a second mpv, which needs about 30 MB, waits for them"
    )
    stream: Literal["auto", "raw", "h264"] = Field(
        "auto", description="raw: pictures as they are drawn; h264: encoded and decoded again; auto: raw"
    )


SCHEMAS: dict[str, type[BaseModel]] = {"display": DisplayConfig}
