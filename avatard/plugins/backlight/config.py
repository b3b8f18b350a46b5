"""Options of the bridge ``backlight``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from avatard.plugins.backlight.night import Night

Cause = Literal["wake_word", "say", "touch"]
MeansName = Literal["auto", "wlopm", "wlr-randr", "dpms", "sysfs", "vcgencmd", "none"]


class ScreenConfig(BaseModel, frozen=True, extra="forbid"):
    """When the screen rests, and by what it is switched."""

    dim_minutes: float = Field(5, ge=0, le=1440, description="idle minutes until it dims; 0: never")
    sleep_minutes: float = Field(15, ge=0, le=1440, description="idle minutes until it sleeps; 0: never by day")
    night: str = Field("", description='local hours such as "22:30-06:30"; default: none')
    night_sleep_seconds: float = Field(30, ge=5, le=3600, description="idle seconds until it sleeps at night")
    brightness: int = Field(100, ge=1, le=100, description="percent, by day")
    dim_brightness: int = Field(30, ge=1, le=100, description="percent, once it has dimmed")
    night_brightness: int = Field(10, ge=1, le=100, description="percent, when it is awake at night")
    wake_for: tuple[Cause, ...] = Field(
        ("wake_word", "say", "touch"), description="what wakes it from its own sleep; say: announcements, "
        "written questions and timers that ring"
    )  # fmt: skip
    wake_from_off: tuple[Cause, ...] = Field(
        ("wake_word", "touch"), description="what wakes it where somebody, or an automation, switched it off"
    )
    means: MeansName = Field("auto", description="by what it is switched; auto: the first that proves to work")
    output: str = Field("*", min_length=1, max_length=64, description="the Wayland output, e.g. HDMI-A-1; *: all")
    device: str = Field(
        "", max_length=64, pattern=r"^[^/\x00-\x1f]*$", description="name under /sys/class/backlight; default: the best"
    )
    touch: bool = Field(True, description="whether touch screens and mice under /dev/input are noticed")
    root: Path = Field(Path("/"), description="the folder in which sys and dev lie; for tests")

    @field_validator("night")
    @classmethod
    def _hours(cls, text: str) -> str:
        if text:
            Night.of(text)
        return text

    @model_validator(mode="after")
    def _order(self) -> ScreenConfig:
        if self.dim_minutes and self.sleep_minutes and self.dim_minutes >= self.sleep_minutes:
            raise ValueError(
                f"dim_minutes {self.dim_minutes:g} must be less than sleep_minutes {self.sleep_minutes:g}; "
                "0 switches either off"
            )
        if self.device.strip(".") == "" and self.device:
            raise ValueError(f"device {self.device!r}: give a name as 'ls /sys/class/backlight' shows it")
        return self


SCHEMAS: dict[str, type[BaseModel]] = {"bridge": ScreenConfig}
