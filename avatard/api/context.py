"""What a plugin is handed when it opens."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .door import Assistant
from .errors import ConfigError, NotReady
from .flow import IdleLoop, Pixels, SpokenGrammar
from .news import News
from .stages import DisplaySink, Microphone, Screen, VideoEncoder
from .tools import Post, Toolbox


class Admission(Protocol):
    """Who gives a model room in memory."""

    def loading(self, name: str, megabytes: float) -> AbstractAsyncContextManager[None]:
        """Make room, then hold other loads back while the block loads the model, and note what it really took.

        Args:
            name: stage and plugin, e.g. ``stt.pocketsphinx``.
            megabytes: what the plugin expects; what was measured at its last load goes before it.

        Raises:
            OutOfMemory: no room could be made.
        """

    def left(self, name: str) -> None:
        """The model was unloaded."""


class Cache(Protocol):
    """Something that is kept to save time and may be dropped to save memory."""

    @property
    def megabytes(self) -> float:
        """How much it holds."""

    def shed(self) -> None:
        """Drop it all."""


class Pulse(Protocol):
    """How a long-lived task shows that it is alive; without it systemd's watchdog is not fed."""

    def beat(self, within: float) -> None:
        """It is alive, and will say so again within so many seconds (``math.inf``: it rests)."""


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

    def use(self) -> AbstractAsyncContextManager[None]:
        """Keep it loaded while the block runs: what has state in the engine is never put down under it."""

    async def unload(self) -> None:
        """Close the engine (``engine.close()`` where there is one) and give its memory back."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A place of its own for one who came with a microphone and a display of his own."""

    assistant: Assistant
    """What is said, asked, muted here concerns this place alone; timers, faces and voices are the room's.

    Source and session of all that is said and asked here are the visitor's. A timer rings here, or in the room once
    he has left. He can have nothing reloaded or restarted.
    """
    news: News
    """What happens in this place; its finished turns are the room's news too."""


class Visits(Protocol):
    """Who lets visitors in."""

    def __call__(
        self, name: str, microphone: Microphone | None, display: DisplaySink, session: str
    ) -> AbstractAsyncContextManager[Visit]:
        """Keep a place with its own turn, queue, volume and encoder while the block runs; leaving it ends its turn.

        Args:
            name: the visitor's, for logs and reports, e.g. ``web``.
            microphone: listened to for wake words from the beginning; None: written questions only.
            display: where it is answered.
            session: whose history it is.

        Raises:
            NotReady: on entering: the daemon is still starting, there are too many visitors, or memory is short. In
                the block, which is cancelled for it: the configuration has changed, the daemon ends, memory is
                short, or the microphone has failed. Whoever comes again later may be let in.
        """


@dataclass(frozen=True, slots=True)
class PluginContext:
    """Exactly what a plugin needs, and nothing else."""

    name: str
    """The platform's name, e.g. ``espeak``."""
    domain: str
    """What it is opened as, e.g. ``tts``."""
    id: str
    """The daemon's id in topics and paths."""
    title: str
    """What the daemon is called."""
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
    state: Path
    """A folder of the plugin's own for what must outlive a restart; not created yet."""
    grammars: tuple[SpokenGrammar, ...]
    """What the responders understand; complete when anything but a responder opens."""
    wake_phrases: tuple[str, ...]
    """The wake words as spoken text, e.g. ``okay nabu``."""
    displays: tuple[str, ...]
    """The platforms of the displays that the configuration names."""
    responders: tuple[str, ...]
    """The platforms that answer, in the order of the chain."""
    encoder: VideoEncoder | None
    """For displays that write a stream of their own; opened before them."""
    idle_loop: Callable[[], Awaitable[IdleLoop]]
    """The face at rest; ask again after ``SettingChanged`` of the face and ``EngineChanged`` of ``render``.

    Raises NotReady while the daemon starts, or where there is no encoder or renderer.
    """
    portrait: Callable[[str], Awaitable[Pixels | None]]
    """A small picture of one of the faces that can be chosen; None where its renderer has none."""
    show: Callable[[str, DisplaySink | Screen], AbstractContextManager[None]]
    """For bridges: it is one more display (or screen) of the room while the block runs."""
    visit: Visits
    tools: Toolbox
    """What a language model may be allowed to do."""
    post: Post
    """Messages to the house."""
    find_model: Callable[[str | Path, str], Path]
    make_model: Callable[[type[Any], dict[str, Any], float, bool, Path | None], Model]
    supervise: Callable[[str, Callable[[Pulse], Coroutine[Any, Any, None]]], None]
    register_cache: Callable[[str, Cache, int], None]
    removed: Callable[[], bool]
    """While closing: True where the configuration no longer names the plugin, False where the daemon ends."""
    isolate: bool = False

    def model(
        self, engine: type[Any], megabytes: float, *, python: Path | None = None, **options: Any
    ) -> Model:
        """Put ``engine(**options)`` on its thread, or into its child where the manifest says ``isolate: true``.

        An isolated engine's class is imported by name in the child and its options must be JSON.

        Args:
            engine: a plain class; built on its own thread, so its constructor may block.
            megabytes: what it is expected to need.
            python: another interpreter, 3.10 or later, for a child that then needs nothing of ours but the engine.
            options: of the engine.
        """
        return self.make_model(engine, options, megabytes, self.isolate, python)

    def model_path(self, name_or_path: str | Path, kind: str, key: str = "model") -> Path:
        """Where a model file (or folder) lies that the user named: a path, or a model that ``avatard models`` lists.

        Args:
            name_or_path: as it stands in the configuration; with a ``/``, or ending like a model's file, it is a path.
            kind: as in the list, e.g. ``stt-vosk``, ``tts-piper``, ``llm-gguf``, ``lip-sync``.
            key: of the configuration, for errors.

        Raises:
            ConfigError: it is not there, of another kind, damaged, or not installed; says which command helps.
        """
        try:
            return self.find_model(name_or_path, kind)
        except ConfigError as err:
            raise ConfigError(f"{self.name}: {key}: {err}") from err

    def model_in(self, look: Callable[[], Path], name: str, kind: str, key: str = "model") -> Path:
        """What ``look`` finds in the plugin's own folder, else what ``avatard models`` installed under the name.

        Raises:
            NotReady: neither is there; says which command helps.
        """
        try:
            return look()
        except NotReady as absent:
            try:
                return self.model_path(name, kind, key)
            except ConfigError as err:
                raise NotReady(f"{absent}; {err}") from err

    def run(self, name: str, job: Callable[[Pulse], Coroutine[Any, Any, None]]) -> None:
        """Keep ``job(pulse)`` running while the plugin is open: supervised, and restarted when it fails.

        A job that beats its pulse once must go on to, or the watchdog takes it for stuck.
        """
        self.supervise(name, job)

    def keep(self, name: str, cache: Cache, priority: int = 0) -> None:
        """Tell the governor of a cache; the lower its priority, the sooner it is dropped."""
        self.register_cache(name, cache, priority)
