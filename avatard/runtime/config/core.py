"""The core's own settings."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

ROOMS = (
    "living room", "kitchen", "bedroom", "bathroom", "office", "hallway", "dining room", "garage", "garden", "nursery",
    "basement", "attic",
)  # fmt: skip
"""A household's usual rooms."""


class Listening(BaseModel, frozen=True, extra="forbid"):
    """How a request begins and ends."""

    enabled: bool = Field(True, description="whether it listens at all")
    end_silence_ms: int = Field(500, ge=100, le=5000, description="silence that ends a request, milliseconds")
    max_seconds: float = Field(15, ge=1, le=60, description="longest request, seconds")
    no_speech_seconds: float = Field(5, ge=1, le=60, description="how long it waits for somebody to speak, seconds")
    pre_roll_ms: int = Field(200, ge=0, le=1000, description="sound kept from before the wake word, milliseconds")
    vad_threshold: float = Field(0.5, gt=0, lt=1, description="voice probability that counts as speech")
    speech_floor_db: float = Field(
        20, ge=6, le=60, description="a voice this far below the request's loudest is background, dB"
    )


class Sessions(BaseModel, frozen=True, extra="forbid"):
    """Histories, and limits on what is said."""

    limit: int = Field(8, ge=1, le=100, description="most histories kept")
    expire_minutes: float = Field(10, gt=0, description="a history not used for so long is dropped")
    history: int = Field(10, ge=0, le=100, description="exchanges kept in each")
    max_text: int = Field(5000, ge=100, le=100_000, description="longest text to say or ask, characters")
    max_queue: int = Field(16, ge=1, le=1000, description="most announcements that wait")
    max_reply_seconds: float = Field(120, ge=5, le=3600, description="longest reply, seconds of speech")


class Memory(BaseModel, frozen=True, extra="forbid"):
    """What the governor may spend."""

    budget_mb: int | Literal["auto"] = Field("auto", description="megabytes for the daemon and its children")


class Sounds(BaseModel, frozen=True, extra="forbid"):
    """The daemon's own short sounds."""

    wake: bool = Field(True, description="a beep once the wake word was heard")
    ring: bool = Field(True, description="a ring when a timer ends")


class Logging(BaseModel, frozen=True, extra="forbid"):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="how much")


class Core(BaseModel, frozen=True, extra="forbid"):
    """Everything that is not a plugin's."""

    name: str = Field("avatard", min_length=1, max_length=60, description="what it is called")
    id: str = Field("", pattern=r"^[a-z0-9_-]*$", description="its id in topics and paths; default: slug of name")
    language: str = Field("en", pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$", description="language code, such as en")
    rooms: tuple[str, ...] = Field(ROOMS, description="names of the household's rooms")
    listening: Listening = Listening()
    sessions: Sessions = Sessions()
    memory: Memory = Memory()
    sounds: Sounds = Sounds()
    logging: Logging = Logging()
