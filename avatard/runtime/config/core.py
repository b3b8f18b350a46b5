"""The core's own settings."""

from __future__ import annotations

import datetime
import itertools
from typing import Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from avatard.runtime.config.rooms import ROOMS, usual_rooms


class Listening(BaseModel, frozen=True, extra="forbid"):
    """How a request begins and ends."""

    enabled: bool = Field(True, description="whether it listens at all")
    end_silence_ms: int = Field(500, ge=100, le=5000, description="silence that ends a request, milliseconds")
    complete_silence_ms: int = Field(
        250, ge=100, le=5000, description="the same after a complete command that nothing can follow, milliseconds"
    )
    max_seconds: float = Field(15, ge=1, le=60, description="longest request, seconds")
    no_speech_seconds: float = Field(5, ge=1, le=60, description="how long it waits for somebody to speak, seconds")
    pre_roll_ms: int = Field(200, ge=0, le=1000, description="sound kept from before the wake word, milliseconds")
    follow_up: Literal["never", "question", "always"] = Field(
        "question", description="after which answers it listens again without the wake word"
    )
    vad_threshold: float = Field(0.5, gt=0, lt=1, description="voice probability that counts as speech")
    half_duplex: bool = Field(False, description="hear nothing while it speaks: then nobody can interrupt by voice")
    stop_word: Literal["off", "ringing", "always"] = Field(
        "ringing", description="when a stop word needs no wake word: never, while a timer rings, also while it speaks"
    )
    speech_floor_db: float = Field(
        20, ge=6, le=60, description="a voice this far below the request's loudest is background, dB"
    )
    self_test: datetime.time | None = Field(
        datetime.time(4), description="when it tests each day whether its wake words are heard, HH:MM; off: never"
    )
    keep: int = Field(
        0, ge=0, le=100, description="how many of the last spoken turns stay on the disk, with their sound, to be run "
        "again; only the daemon's user can read them; 0: none, and those from before are removed"
    )  # fmt: skip

    @field_validator("stop_word", mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        """YAML takes ``off`` for False."""
        return "off" if value is False else value

    @field_validator("self_test", mode="before")
    @classmethod
    def _clock(cls, value: object) -> object:
        """YAML takes ``off`` for False and 14:30 for a number of minutes."""
        if value in (False, "off"):
            return None
        if isinstance(value, int) and 0 <= value < 24 * 60:
            return datetime.time(value // 60, value % 60)
        return value


class Sessions(BaseModel, frozen=True, extra="forbid"):
    """Histories, and limits on what is said."""

    limit: int = Field(8, ge=1, le=100, description="most histories kept, and most visitors at once")
    expire_minutes: float = Field(10, gt=0, description="a history not used for so long is dropped")
    history: int = Field(10, ge=0, le=100, description="exchanges kept in each")
    max_text: int = Field(5000, ge=100, le=100_000, description="longest text to say or ask, characters")
    max_queue: int = Field(16, ge=1, le=1000, description="most announcements that wait")
    max_reply_seconds: float = Field(120, ge=5, le=3600, description="longest reply, seconds of speech")


Step = Literal[
    "expire_sessions", "drop_caches", "trim", "unload_models", "end_sessions", "refuse_sessions", "step_down"
]
"""What can be done about memory."""


class Steps(BaseModel, frozen=True, extra="forbid"):
    """What is done in each tier, in this order; a tier does what those below it do first."""

    tidy: tuple[Step, ...] = Field(("expire_sessions", "drop_caches"), description="from tidy_percent on")
    shed: tuple[Step, ...] = Field(("trim", "unload_models"), description="from shed_percent on")
    survive: tuple[Step, ...] = Field(
        ("end_sessions", "refuse_sessions", "step_down"), description="from survive_percent on"
    )


class Memory(BaseModel, frozen=True, extra="forbid"):
    """What the governor may spend, and what it does when that is not enough."""

    budget_mb: int | Literal["auto"] = Field(
        "auto", description="megabytes for the daemon and its children; auto: 90 % of the control group's limit, "
        "else half of the machine's memory"
    )  # fmt: skip
    tidy_percent: float = Field(80, ge=10, le=1000, description="of the budget: from here on it tidies up")
    shed_percent: float = Field(100, ge=10, le=1000, description="of the budget: from here on it puts down models")
    survive_percent: float = Field(120, ge=10, le=1000, description="of the budget: from here on only the room counts")
    return_percent: float = Field(70, ge=5, le=1000, description="of the budget: below it for a while, a tier ends")
    return_seconds: float = Field(60, ge=1, le=3600, description="how long that while is, seconds")
    idle_seconds: float = Field(10, ge=0, le=3600, description="a model not used for so long may be put down, seconds")
    cache_mb: float = Field(
        16, ge=0, le=10_000, description="megabytes for finished sentences, so that they cost little when said again; "
        "a second of them takes about half of one; 0: none"
    )  # fmt: skip
    steps: Steps = Steps()

    @model_validator(mode="after")
    def _rising(self) -> Self:
        levels = (self.return_percent, self.tidy_percent, self.shed_percent, self.survive_percent)
        if any(low >= high for low, high in itertools.pairwise(levels)):
            raise ValueError("return_percent, tidy_percent, shed_percent and survive_percent must rise in this order")
        return self

    @field_validator("budget_mb")
    @classmethod
    def _something(cls, value: int | Literal["auto"]) -> int | Literal["auto"]:
        if value != "auto" and value < 1:
            raise ValueError("megabytes are needed, such as 400, or auto")
        return value


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
    language: str = Field("en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,4})?$", description="language code, such as en")
    rooms: tuple[str, ...] = Field(
        ROOMS, description="names of the household's rooms; default: the usual ones in its language"
    )
    listening: Listening = Listening()
    sessions: Sessions = Sessions()
    memory: Memory = Memory()
    sounds: Sounds = Sounds()
    logging: Logging = Logging()

    @property
    def household(self) -> tuple[str, ...]:
        """The rooms, in the household's language where none are named."""
        return self.rooms if "rooms" in self.model_fields_set else usual_rooms(self.language)
