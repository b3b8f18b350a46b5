"""A microphone through PortAudio: ALSA's own names, a card that no sound server holds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from avatard.api.errors import NotReady
from avatard.api.flow import LISTEN_RATE
from avatard.api.portaudio import STREAMS, portaudio
from avatard.plugins.sounddevice.recorder import FRAME, Ended, Heard, mono

CARDS = (Path("/proc/asound/cards"), Path("/proc/asound/pcm"))
"""What ALSA says of the cards: cheap to look at, and different when one comes or goes."""
REREAD = 10.0
"""Seconds after which the list is read again although no card has come or gone: not everything is one of ALSA's."""


class DeviceList:
    """PortAudio's list of devices, read again only where that may help: it takes up to a second on a small board."""

    def __init__(self) -> None:
        """As PortAudio found it when it started."""
        self._seen, self._when = _cards(), time.monotonic()

    def stale(self) -> bool:
        """Whether cards have come or gone since, or it is old."""
        return _cards() != self._seen or time.monotonic() - self._when > REREAD

    def reread(self) -> bool:
        """Read it again; False where somebody's stream would end by that."""
        seen = _cards()
        if not STREAMS.anew(portaudio("microphone")):
            return False
        self._seen, self._when = seen, time.monotonic()
        return True


class CardRecorder:
    """An input stream of PortAudio."""

    def __init__(self, device: str, channel: int, heard: Heard, ended: Ended) -> None:
        """Open the device whose name contains ``device``, the default where it is empty.

        Raises:
            NotReady: PortAudio is missing, or the device is absent or busy.
        """
        sd = portaudio("microphone")

        def take(data: Any, _count: int, _time: Any, status: Any) -> None:
            heard(mono(data, channel), bool(status.input_overflow))

        try:
            with STREAMS.lock:
                info: Any = sd.query_devices(device or None, "input")
                self.name = f"alsa:{info['name']}"
                self.rate, channels = _way(sd, info, channel)
                self._stream = sd.InputStream(
                    samplerate=self.rate, channels=channels, dtype="int16", device=info["index"],
                    blocksize=self.rate * FRAME // LISTEN_RATE, callback=take,
                    finished_callback=lambda: ended("the sound card has stopped; unplugged?"),
                )  # fmt: skip
                self._stream.start()
                STREAMS.opened(self, lambda: None)
        except (sd.PortAudioError, ValueError) as err:
            names = ", ".join(d["name"] for d in sd.query_devices() if d["max_input_channels"]) or "none"
            raise NotReady(f"microphone {device or '(default)'}: {err}; microphones: {names}; "
                           "choose one with 'device:'") from err  # fmt: skip

    def close(self) -> None:
        """Close the device."""
        try:
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)
        finally:
            STREAMS.closed(self)


def _way(sd: Any, info: Any, channel: int) -> tuple[int, int]:
    """Rate and channels that the device takes: ours if possible, else its own."""
    most = int(info["max_input_channels"])
    own = int(info["default_samplerate"])
    for rate in (LISTEN_RATE, own):
        for channels in (most,) if channel else sorted({1, min(2, most), most}):
            try:
                sd.check_input_settings(device=info["index"], channels=channels, samplerate=rate, dtype="int16")
            except (sd.PortAudioError, ValueError):
                continue
            return rate, channels
    return own, min(2, most)


def _cards() -> tuple[str, ...]:
    found = []
    for path in CARDS:
        try:
            found.append(path.read_text())
        except OSError:
            found.append("")
    return tuple(found)
