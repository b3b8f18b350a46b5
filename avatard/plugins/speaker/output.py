"""An output stream of PortAudio, fed from a ring."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from avatard.api.errors import NotReady
from avatard.api.flow import SPEECH_RATE, Samples
from avatard.api.portaudio import STREAMS, portaudio

Played = Callable[[Samples, float], None]
"""What was given to the device, and when, monotonic seconds."""

LATENCY = 0.06
"""Seconds that PortAudio is asked to buffer."""
REFUSAL = "display: speaker: {0}; devices: {1}; is the card plugged in and free? choose one with 'device:'"


class Output:
    """Plays what is put into it; its own thread is PortAudio's."""

    def __init__(
        self, device: str, played: Played | None = None, give_way: Callable[[], None] = lambda: None
    ) -> None:
        """Open the device.

        Args:
            device: a part of its name.
            played: is told what the device is given.
            give_way: closes it where nothing sounds, so that the list of devices can be read again.

        Raises:
            NotReady: it is absent or busy.
        """
        sd = portaudio("display: speaker")
        self.volume = 1.0
        self.played = 0
        """Samples of the answer that were given to the device."""
        self.asked = time.monotonic()
        """When the device last wanted sound, monotonic seconds; it is opened now."""
        self._lock = threading.Lock()
        self._told: Played = played or _nobody
        self._told(np.zeros(0, np.int16), time.monotonic())
        self._answer: deque[Samples] = deque()
        self._chime: Samples = np.zeros(0, np.int16)
        try:
            self._stream = self._started(sd, device, give_way)
        except (sd.PortAudioError, ValueError) as err:
            try:
                # It may have come after the list of devices was read.
                again = self._started(sd, device, give_way) if STREAMS.anew(sd) else None
            except (sd.PortAudioError, ValueError):
                again = None
            if again is None:
                names = ", ".join(d["name"] for d in sd.query_devices() if d["max_output_channels"]) or "none"
                raise NotReady(REFUSAL.format(err, names)) from err
            self._stream = again
        self.latency = float(self._stream.latency)

    @property
    def waiting(self) -> int:
        """Samples of the answer that wait."""
        with self._lock:
            return sum(map(len, self._answer))

    @property
    def alive(self) -> bool:
        """Whether the device still plays."""
        return bool(self._stream.active)

    def put(self, audio: Samples) -> None:
        """Add to the answer."""
        with self._lock:
            self._answer.append(audio)

    def chime(self, sound: Samples) -> None:
        """Mix this in from now on."""
        with self._lock:
            self._chime = sound

    def clear(self) -> None:
        """Drop what waits."""
        with self._lock:
            self._answer.clear()
            self._chime = self._chime[:0]

    def close(self) -> None:
        """Close the device, dropping what it has not played."""
        try:
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)
        finally:
            STREAMS.closed(self)

    def _started(self, sd: Any, device: str, give_way: Callable[[], None]) -> Any:
        with STREAMS.lock:
            stream = sd.OutputStream(
                samplerate=SPEECH_RATE, channels=1, dtype="int16", device=device or None, latency=LATENCY,
                callback=self._give,
            )  # fmt: skip
            stream.start()
            STREAMS.opened(self, give_way)
        return stream

    def _give(self, out: Any, count: int, _time: Any, _status: Any) -> None:
        self.asked = time.monotonic()
        sound = np.zeros(count, np.int32)
        with self._lock:
            filled = 0
            while filled < count and self._answer:
                piece = self._answer.popleft()
                part = piece[: count - filled]
                if len(part) < len(piece):
                    self._answer.appendleft(piece[len(part) :])
                sound[filled : filled + len(part)] = part
                filled += len(part)
            self.played += filled
            mixed = self._chime[:count]
            sound[: len(mixed)] += mixed
            self._chime = self._chime[count:]
        given = np.clip(sound * self.volume, -32768, 32767).astype(np.int16)
        out[:, 0] = given
        self._told(given, time.monotonic())


def _nobody(_sound: Samples, _when: float) -> None:
    """Nobody wants to know."""
