"""What a plugin is handed when it opens."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .door import Assistant
from .flow import SpokenGrammar
from .news import News
from .stages import VideoEncoder


class Admission(Protocol):
    """Who gives a model room in memory."""

    async def admit(self, name: str, megabytes: float) -> None:
        """Make room before a model loads.

        Raises:
            OutOfMemory: no room could be made.
        """

    def left(self, name: str) -> None:
        """The model was unloaded."""


class Model(Protocol):
    """A lazily loaded engine on the only thread, or in the only child process, that may touch it.

    Calls run one after another. What goes in and out is what both ways can carry: None, bool, int, float, str,
    bytes, and lists and str-keyed dicts of them. On a thread any object passes.
    """

    async def load(self) -> None:
        """Load now rather than at the first call.

        Raises:
            OutOfMemory, NotReady, StageFailed
        """

    async def call(self, method: str, *args: Any) -> Any:
        """Call ``engine.method(*args)``. When cancelled, ``engine.cancel()`` is called where there is one."""

    def stream(self, method: str, *args: Any) -> AsyncGenerator[Any, None]:
        """Iterate over ``engine.method(*args)``, a generator; closing it closes the generator."""

    async def unload(self) -> None:
        """Close the engine (``engine.close()`` where there is one) and give its memory back."""


@dataclass(frozen=True, slots=True)
class PluginContext:
    """Exactly what a plugin needs, and nothing else."""

    name: str
    """The platform's name, e.g. ``espeak``."""
    domain: str
    """What it is opened as, e.g. ``tts``."""
    language: str
    rooms: tuple[str, ...]
    """The household's room names, lower case."""
    logger: logging.Logger
    news: News
    assistant: Assistant
    clock: Callable[[], float]
    """Monotonic seconds."""
    cache: Path
    """A folder of the plugin's own; not created yet."""
    grammars: tuple[SpokenGrammar, ...]
    """What the responders understand; complete when anything but a responder opens."""
    wake_phrases: tuple[str, ...]
    """The wake words as spoken text, e.g. ``okay nabu``."""
    encoder: VideoEncoder | None
    """For displays that write a stream of their own; opened before them."""
    make_model: Callable[[type[Any], dict[str, Any], float, bool], Model]
    supervise: Callable[[str, Callable[[], Coroutine[Any, Any, None]]], None]
    isolate: bool = False

    def model(self, engine: type[Any], megabytes: float, **options: Any) -> Model:
        """Put ``engine(**options)`` on its thread, or into its child where the manifest says ``isolate: true``.

        An isolated engine's class is imported by name in the child and its options must be JSON.

        Args:
            engine: a plain class; built on its own thread, so its constructor may block.
            megabytes: what it is expected to need.
        """
        return self.make_model(engine, options, megabytes, self.isolate)

    def run(self, name: str, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Keep ``job()`` running while the plugin is open: supervised, and restarted when it fails."""
        self.supervise(name, job)
