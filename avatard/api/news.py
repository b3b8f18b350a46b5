"""News: typed events, published once. A reader that is late loses the oldest and counts what it lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from .flow import Sentence

State = Literal["idle", "listening", "processing", "responding", "error"]

Tier = Literal["normal", "tidy", "shed", "survive"]
"""Of memory: below 80 % of the budget, from 80 %, from 100 %, from 120 %."""


@dataclass(frozen=True, slots=True)
class TimerView:
    """A timer that runs or rings."""

    id: int
    name: str
    seconds_left: float
    ringing: bool
    ends: float = 0.0
    """Unix time"""


@dataclass(frozen=True, slots=True)
class TimersChanged:
    """A timer was started, changed, cancelled, rings or was stopped; all that there are, the next to end first."""

    timers: tuple[TimerView, ...]


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The place began to do something else."""

    state: State


@dataclass(frozen=True, slots=True)
class WakeHeard:
    """A wake phrase was heard."""

    phrase: str
    score: float
    """0–1"""
    at: float
    """Position in the microphone's stream, seconds."""


@dataclass(frozen=True, slots=True)
class HeardPartly:
    """What the recogniser believes so far."""

    text: str


@dataclass(frozen=True, slots=True)
class Transcribed:
    """What was heard; empty where nothing was understood."""

    text: str


@dataclass(frozen=True, slots=True)
class ReplyText:
    """A piece of the reply, as it comes."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class Replied:
    """The reply's text is complete; it may still be on its way to the ear."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class SentenceSpoken:
    """A sentence was heard to its end."""

    turn: int
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class TurnReport:
    """What a turn was and how long each part took; the ``turns`` of report.json."""

    turn: int
    source: str
    """``microphone``, ``cli``, ``mqtt``, ``timer`` …"""
    heard: str = ""
    reply: str = ""
    wake: dict[str, Any] | None = None
    at: dict[str, float] = field(default_factory=dict)
    """``wake`` and ``speech_end``: positions in the microphone's stream, seconds."""
    ms: dict[str, float] = field(default_factory=dict)
    """Milliseconds since the end of speech (since the command, where nobody spoke), and ``total``."""
    frames: dict[str, float] = field(default_factory=dict)
    interrupted: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """A turn came to its end, was interrupted, or failed."""

    report: TurnReport


@dataclass(frozen=True, slots=True)
class SettingChanged:
    """Somebody changed how it behaves."""

    name: Literal["mute", "volume", "voice", "face", "screen"]
    value: bool | int | str
    """Of ``screen``: True, False, or ``"dim"`` where the screen cannot dim and whoever draws on it shall."""


@dataclass(frozen=True, slots=True)
class EngineChanged:
    """Another engine of a ranking serves."""

    stage: str
    engine: str
    why: str


@dataclass(frozen=True, slots=True)
class TierChanged:
    """The governor did something about memory, or needs to no longer."""

    tier: Tier
    did: tuple[str, ...] = ()
    """What was done, in order, e.g. ``unload_models: stt.pocketsphinx``."""
    freed_mb: float = 0.0
    memory_mb: float = 0.0
    budget_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Health:
    """How the daemon is; every 30 s and when something in it changes."""

    memory_mb: float
    """PSS with children"""
    budget_mb: float
    tier: Tier
    fps: float
    """Pictures a second handed to the displays while it spoke last."""
    latency_ms: float | None
    """From the end of speech (or the command) to the first frame, of the last turn."""
    lag_ms: float
    """The longest that the event loop was held up since the last report."""
    uptime_s: float
    drops: int
    """Frames, events and messages that were lost for want of room, since the start."""
    temperature_c: float | None = None
    stuck: tuple[str, ...] = ()
    """Long-lived parts that show no life."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A person touched a screen, or moved a pointer on it."""

    where: str
    """The display."""


@dataclass(frozen=True, slots=True)
class MicrophoneEnded:
    """A recording was played to its end."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a person should know; ``over`` says that it has passed."""

    where: str
    what: str
    over: bool = False


Event = (
    StateChanged | WakeHeard | HeardPartly | Transcribed | ReplyText | Replied | SentenceSpoken | TurnFinished
    | SettingChanged | EngineChanged | TierChanged | Health | Touched | TimersChanged | MicrophoneEnded | Problem
)  # fmt: skip


class Subscription(Protocol):
    """One reader's bounded queue."""

    @property
    def dropped(self) -> int:
        """How many events this reader was too late for."""

    def waiting(self) -> list[Event]:
        """Take the events that have come since the last look, without waiting."""

    def __aiter__(self) -> AsyncIterator[Event]:
        """Yield events from the moment of subscribing."""


class News(Protocol):
    """The feed."""

    def publish(self, event: Event) -> None:
        """Give the event to every reader; never blocks."""

    def subscribe(self, size: int = 64) -> AbstractContextManager[Subscription]:
        """Read from now on; leaving the block ends it."""
