"""WebRTC's audio processing through livekit. Runs in the child."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

RATE = 16_000
STEP = RATE // 100
"""Samples that WebRTC takes at a time: 10 ms."""


@dataclass(slots=True)
class Source:
    """One microphone's state."""

    process: Any
    heard: bytearray = field(default_factory=bytearray)
    played: bytearray = field(default_factory=bytearray)
    cleaned: bytearray = field(default_factory=lambda: bytearray(2 * (STEP - 1)))
    """Begins with silence, so that as much comes out of each frame as goes in."""


class WebrtcEngine:
    """Takes what was played out of what was heard: 16 kHz mono int16."""

    def __init__(self, noise_suppression: bool, gain: bool) -> None:
        """Import the library."""
        from livekit.rtc.apm import AudioProcessingModule
        from livekit.rtc.audio_frame import AudioFrame

        self._frame: Callable[..., Any] = AudioFrame
        self._module: Callable[..., Any] = AudioProcessingModule
        self._options = {"noise_suppression": noise_suppression, "auto_gain_control": gain}
        self._sources: dict[int, Source] = {}

    def clean(self, number: int, heard: bytes, played: bytes) -> bytes:
        """Return as much sound as was ``heard``, 10 ms late; what was ``played`` meanwhile is as long."""
        source = self._sources.get(number)
        if source is None:
            source = self._sources[number] = Source(
                self._module(echo_cancellation=True, high_pass_filter=True, **self._options)
            )
        source.heard += heard
        source.played += played
        while len(source.heard) >= 2 * STEP:
            source.process.process_reverse_stream(self._taken(source.played))
            near = self._taken(source.heard)
            # The core has laid the two beside each other; what delay is left the canceller finds itself.
            source.process.set_stream_delay_ms(0)
            source.process.process_stream(near)
            source.cleaned += bytes(near.data)
        cleaned = bytes(source.cleaned[: len(heard)])
        del source.cleaned[: len(heard)]
        return cleaned

    def end(self, number: int) -> None:
        """Forget a source."""
        self._sources.pop(number, None)

    def _taken(self, sound: bytearray) -> Any:
        frame = self._frame(bytearray(sound[: 2 * STEP]), RATE, 1, STEP)
        del sound[: 2 * STEP]
        return frame
