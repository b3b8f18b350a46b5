"""The part of libpulse that a microphone needs, through ctypes; PipeWire serves the same."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from typing import Any

NO_SPAWN = 1
"""PA_CONTEXT_NOAUTOSPAWN"""
READY, FAILED = 4, 5
"""PA_CONTEXT_READY, PA_CONTEXT_FAILED; from there on up it is over."""
STREAM_READY, STREAM_FAILED = 2, 3
"""PA_STREAM_READY, PA_STREAM_FAILED; from there on up it is over."""
S16LE = 3
"""PA_SAMPLE_S16LE"""
NO_REMAP, FIX_CHANNELS, DONT_MOVE, ADJUST_LATENCY = 0x10, 0x100, 0x200, 0x2000
"""pa_stream_flags: PA_STREAM_NO_REMAP_CHANNELS and so on."""
UNSET = 0xFFFFFFFF

Notify = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
"""Of a context or a stream: something about it has changed."""
Read = ctypes.CFUNCTYPE(None, c_void_p, c_size_t, c_void_p)
"""Of a stream: so many bytes can be read."""
Info = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_void_p)
"""Of a context: about its server."""
InfoList = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int, c_void_p)
"""Of a context: about one of several; the last call has a number other than 0."""


class SampleSpec(ctypes.Structure):
    """pa_sample_spec"""

    _fields_ = (("format", c_int), ("rate", c_uint32), ("channels", c_uint8))


class BufferAttr(ctypes.Structure):
    """pa_buffer_attr"""

    _fields_ = tuple((name, c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize"))


class ServerInfo(ctypes.Structure):
    """pa_server_info, its beginning"""

    _fields_ = (
        ("user", c_char_p), ("host", c_char_p), ("version", c_char_p), ("server", c_char_p), ("spec", SampleSpec),
        ("default_sink", c_char_p), ("default_source", c_char_p),
    )  # fmt: skip


class ChannelMap(ctypes.Structure):
    """pa_channel_map"""

    _fields_ = (("channels", c_uint8), ("map", c_int * 32))


class Volume(ctypes.Structure):
    """pa_cvolume"""

    _fields_ = (("channels", c_uint8), ("values", c_uint32 * 32))


class SourceInfo(ctypes.Structure):
    """pa_source_info, its beginning"""

    _fields_ = (
        ("name", c_char_p), ("index", c_uint32), ("description", c_char_p), ("spec", SampleSpec),
        ("map", ChannelMap), ("module", c_uint32), ("volume", Volume), ("mute", c_int), ("monitor_of", c_uint32),
    )  # fmt: skip


P = c_void_p
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "pa_threaded_mainloop_new": (P, []), "pa_threaded_mainloop_free": (None, [P]),
    "pa_threaded_mainloop_start": (c_int, [P]), "pa_threaded_mainloop_stop": (None, [P]),
    "pa_threaded_mainloop_lock": (None, [P]), "pa_threaded_mainloop_unlock": (None, [P]),
    "pa_threaded_mainloop_get_api": (P, [P]),
    "pa_context_new": (P, [P, c_char_p]), "pa_context_unref": (None, [P]),
    "pa_context_connect": (c_int, [P, c_char_p, c_int, P]), "pa_context_disconnect": (None, [P]),
    "pa_context_get_state": (c_int, [P]), "pa_context_errno": (c_int, [P]),
    "pa_context_set_state_callback": (None, [P, Notify, P]),
    "pa_context_get_server_info": (P, [P, Info, P]), "pa_context_get_source_info_list": (P, [P, InfoList, P]),
    "pa_operation_unref": (None, [P]), "pa_strerror": (c_char_p, [c_int]),
    "pa_stream_new": (P, [P, c_char_p, POINTER(SampleSpec), P]), "pa_stream_unref": (None, [P]),
    "pa_stream_connect_record": (c_int, [P, c_char_p, POINTER(BufferAttr), c_int]),
    "pa_stream_disconnect": (c_int, [P]), "pa_stream_get_state": (c_int, [P]),
    "pa_stream_get_device_name": (c_char_p, [P]), "pa_stream_get_sample_spec": (POINTER(SampleSpec), [P]),
    "pa_stream_set_read_callback": (None, [P, Read, P]), "pa_stream_set_state_callback": (None, [P, Notify, P]),
    "pa_stream_set_moved_callback": (None, [P, Notify, P]), "pa_stream_set_overflow_callback": (None, [P, Notify, P]),
    "pa_stream_peek": (c_int, [P, POINTER(c_void_p), POINTER(c_size_t)]), "pa_stream_drop": (c_int, [P]),
}  # fmt: skip


def library() -> Any | None:
    """libpulse, or None where it is not installed: then nothing here speaks to a sound server."""
    try:
        loaded = ctypes.CDLL("libpulse.so.0")
    except OSError:
        return None
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded
