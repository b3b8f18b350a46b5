"""A microphone through PulseAudio or PipeWire, by its name in the sound server.

Through ALSA's ``pulse`` device a stream whose microphone goes away is moved to whatever else there is, often to what
the speaker plays, and nobody is told. Here it ends.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from avatard.api.errors import NotReady
from avatard.api.flow import LISTEN_RATE
from avatard.plugins.sounddevice import libpulse as pa
from avatard.plugins.sounddevice.recorder import FRAME, Ended, Heard, mono

CONNECT_LIMIT, ANSWER_LIMIT = 3.0, 3.0
"""Seconds in which the server answers; it is on this machine."""
LOOK = 0.003
"""Seconds between looks at a state that another thread changes."""


@dataclass(frozen=True, slots=True)
class Source:
    """One of the server's microphones."""

    name: str
    description: str
    monitor: bool
    """It is what a speaker plays."""


class Server:
    """A connection to the sound server."""

    def __init__(self, library: Any) -> None:
        """Connect; close it where ``ready`` says no."""
        self.library = library
        self._callbacks: list[Any] = []
        """Kept as long as libpulse may call them."""
        self._loop = library.pa_threaded_mainloop_new()
        self.context = library.pa_context_new(library.pa_threaded_mainloop_get_api(self._loop), b"avatard")
        connecting = library.pa_context_connect(self.context, None, pa.NO_SPAWN, None)
        library.pa_threaded_mainloop_start(self._loop)
        self.ready = connecting == 0 and self._becomes(
            lambda: library.pa_context_get_state(self.context), pa.READY, pa.FAILED, CONNECT_LIMIT
        )

    def sources(self) -> tuple[str, str, list[Source]]:
        """The default sink, the default source, and all sources."""
        found: list[Source] = []
        default: list[str] = []
        done: list[bool] = []

        def about(_context: int, info: int, _data: int) -> None:
            server = ctypes.cast(info, ctypes.POINTER(pa.ServerInfo)).contents
            default.extend((_text(server.default_sink), _text(server.default_source)))

        def each(_context: int, info: int, last: int, _data: int) -> None:
            if last:
                done.append(True)
                return
            one = ctypes.cast(info, ctypes.POINTER(pa.SourceInfo)).contents
            found.append(Source(_text(one.name), _text(one.description), one.monitor_of != pa.UNSET))

        ask, ask_each = self.keep(pa.Info(about)), self.keep(pa.InfoList(each))
        with self:
            for operation in (
                self.library.pa_context_get_server_info(self.context, ask, None),
                self.library.pa_context_get_source_info_list(self.context, ask_each, None),
            ):
                if operation:
                    self.library.pa_operation_unref(operation)
        end = time.monotonic() + ANSWER_LIMIT
        while not (done and default):
            if time.monotonic() > end:
                raise NotReady("microphone: the sound server (PulseAudio) does not answer; restart it?")
            time.sleep(LOOK)
        return default[0], default[1], found

    def wait(self, state: Callable[[], int], good: int, bad: int) -> bool:
        """Whether a state becomes good soon."""
        return self._becomes(state, good, bad, ANSWER_LIMIT)

    def keep(self, callback: Any) -> Any:
        """Keep a callback as long as the connection."""
        self._callbacks.append(callback)
        return callback

    def error(self) -> str:
        """What went wrong last."""
        return _text(self.library.pa_strerror(self.library.pa_context_errno(self.context)))

    def close(self) -> None:
        """Leave the server; no callback comes from then on."""
        with self:
            self.library.pa_context_disconnect(self.context)
        self.library.pa_threaded_mainloop_stop(self._loop)
        self.library.pa_context_unref(self.context)
        self.library.pa_threaded_mainloop_free(self._loop)

    def _becomes(self, state: Callable[[], int], good: int, bad: int, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while True:
            with self:
                what = state()
            if what == good or what >= bad or time.monotonic() > end:
                return what == good
            time.sleep(LOOK)

    def __enter__(self) -> None:
        """Keep libpulse's thread from running."""
        self.library.pa_threaded_mainloop_lock(self._loop)

    def __exit__(self, *exc: object) -> None:
        """Let it run."""
        self.library.pa_threaded_mainloop_unlock(self._loop)


class PulseRecorder:
    """A record stream."""

    rate = LISTEN_RATE

    def __init__(self, server: Server, source: str, fixed: bool, channel: int, heard: Heard, ended: Ended) -> None:
        """Record from the source with this name; the server is closed with it.

        Args:
            server: connected.
            source: its whole name.
            fixed: it was asked for by name: the server may not move it to another one.
            channel: as the configuration says.
            heard: takes the sound.
            ended: is told when the source goes away.

        Raises:
            NotReady: the server does not give it.
        """
        self.name = f"pulse:{source}"
        self._server, self._source, self._channel = server, source, channel
        self._heard, self._ended = heard, ended
        self._channels, self._lost = 1, False
        self._stream: Any = None
        flags = pa.ADJUST_LATENCY | (pa.DONT_MOVE if fixed else 0)
        flags |= (pa.FIX_CHANNELS | pa.NO_REMAP) if channel else 0
        if not self._connected(flags):
            why = server.error()
            self.close()
            raise NotReady(f"microphone {source}: the sound server (PulseAudio) does not give it: {why}")

    def close(self) -> None:
        """Close the stream and leave the server."""
        if self._stream is not None:
            with self._server:
                self._server.library.pa_stream_disconnect(self._stream)
        self._server.close()
        if self._stream is not None:
            self._server.library.pa_stream_unref(self._stream)
            self._stream = None

    def _connected(self, flags: int) -> bool:
        server, library = self._server, self._server.library
        spec = pa.SampleSpec(pa.S16LE, LISTEN_RATE, 1)
        piece = pa.BufferAttr(pa.UNSET, pa.UNSET, pa.UNSET, pa.UNSET, FRAME * 2)
        with server:
            self._stream = library.pa_stream_new(server.context, b"microphone", ctypes.byref(spec), None)
            if not self._stream:
                return False
            library.pa_stream_set_read_callback(self._stream, server.keep(pa.Read(self._read)), None)
            library.pa_stream_set_moved_callback(self._stream, server.keep(pa.Notify(self._moved)), None)
            library.pa_stream_set_overflow_callback(self._stream, server.keep(pa.Notify(self._overflowed)), None)
            begun = library.pa_stream_connect_record(self._stream, self._source.encode(), ctypes.byref(piece), flags)
        if begun != 0 or not server.wait(
            lambda: library.pa_stream_get_state(self._stream), pa.STREAM_READY, pa.STREAM_FAILED
        ):
            return False
        with server:
            self._channels = library.pa_stream_get_sample_spec(self._stream).contents.channels
            changed = server.keep(pa.Notify(self._changed))
            library.pa_stream_set_state_callback(self._stream, changed, None)
            library.pa_context_set_state_callback(server.context, changed, None)
            return bool(library.pa_stream_get_state(self._stream) == pa.STREAM_READY)

    def _read(self, stream: int, _count: int, _data: int) -> None:
        library, data, size = self._server.library, ctypes.c_void_p(), ctypes.c_size_t()
        while library.pa_stream_peek(stream, ctypes.byref(data), ctypes.byref(size)) == 0 and size.value:
            if data.value:
                samples = np.frombuffer(ctypes.string_at(data.value, size.value), "<i2")
                count = len(samples) // self._channels * self._channels
                self._heard(mono(samples[:count].reshape(-1, self._channels), self._channel), self._lost)
                self._lost = False
            else:
                self._lost = True  # a hole
            library.pa_stream_drop(stream)

    def _overflowed(self, _stream: int, _data: int) -> None:
        self._lost = True

    def _changed(self, _changed: int, _data: int) -> None:
        library = self._server.library
        if library.pa_context_get_state(self._server.context) >= pa.FAILED:
            self._ended("the sound server (PulseAudio) has gone")
        elif self._stream and library.pa_stream_get_state(self._stream) >= pa.STREAM_FAILED:
            self._ended("the sound server (PulseAudio) has it no longer; unplugged?")

    def _moved(self, stream: int, _data: int) -> None:
        to = _text(self._server.library.pa_stream_get_device_name(stream))
        if to != self._source and to.endswith(".monitor"):
            self._ended(f"{self._source} has gone; unplugged?")


def _text(value: bytes | None) -> str:
    return value.decode("utf-8", "replace") if value else ""
