"""PortAudio is one for the whole process: whoever has a stream of it open must not be robbed of it by another.

It reads the list of devices when it starts, and starting it again ends every stream (python-sounddevice#125).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .errors import NotReady


def portaudio(who: str) -> Any:
    """The sounddevice module, for one who needs it.

    Raises:
        NotReady: PortAudio is not installed.
    """
    try:
        import sounddevice
    except OSError as err:
        raise NotReady(f"{who}: {err}; install it: sudo apt install libportaudio2") from err
    return sounddevice


class Streams:
    """Who has a stream open."""

    def __init__(self) -> None:
        """Nobody."""
        self.lock = threading.Lock()
        """Held by whoever opens a stream, so that PortAudio does not start again under it."""
        self._open: dict[int, Callable[[], None]] = {}

    def opened(self, stream: object, give_way: Callable[[], None]) -> None:
        """A stream was opened, with the lock held; ``give_way`` closes it if nobody would miss it."""
        self._open[id(stream)] = give_way

    def closed(self, stream: object) -> None:
        """It was closed."""
        self._open.pop(id(stream), None)

    def give_way(self) -> None:
        """Ask all to close what nobody would miss; on the event loop, where streams are opened for playing."""
        for give_way in list(self._open.values()):
            give_way()

    def anew(self, sounddevice: Any) -> bool:
        """Have PortAudio read the list of devices again; False where a stream is open, and nothing was done."""
        with self.lock:
            if self._open:
                return False
            if getattr(sounddevice, "_initialized", 0):
                sounddevice._terminate()
                sounddevice._initialize()
            return True


STREAMS = Streams()
"""This process's: there is one PortAudio, so there is one of these."""
