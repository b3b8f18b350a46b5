"""espeak-ng through ctypes. Runs in the child: standard library only, so that the child stays small."""

from __future__ import annotations

import ctypes
import ctypes.util
import struct
from collections.abc import Iterator

SYNCHRONOUS, UTF8, END_PAUSE = 2, 1, 0x1000
"""espeak-ng speak_lib.h: AUDIO_OUTPUT_SYNCHRONOUS, espeakCHARS_UTF8, espeakENDPAUSE"""
RATE, PITCH = 1, 3
"""espeak-ng speak_lib.h: espeakRATE, espeakPITCH"""
PIECE = 4096
"""Samples in one piece, about 0.19 s."""

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def _library() -> tuple[ctypes.CDLL, str | None]:
    try:
        import espeakng_loader
    except ImportError as err:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise RuntimeError("espeak-ng is missing: pip install espeakng-loader") from err
        return ctypes.CDLL(name), None
    return ctypes.CDLL(espeakng_loader.get_library_path()), espeakng_loader.get_data_path()


class EspeakEngine:
    """One espeak-ng; the library itself has global state, so there is one in a process."""

    def __init__(self, voice: str, rate: int, pitch: int) -> None:
        """Load the library and the voice."""
        self._lib, data = _library()
        self._hertz = self._lib.espeak_Initialize(SYNCHRONOUS, 0, data.encode() if data else None, 0)
        if self._hertz <= 0:
            raise RuntimeError("espeak-ng found no voice data")
        self._usual, self._rate, self._pitch = voice, rate, pitch
        self._voice = ""
        self._take(voice)
        self._cancelled = False
        self._sound = bytearray()
        self._callback = _Callback(self._heard)
        self._lib.espeak_SetSynthCallback(self._callback)

    def sample_rate(self) -> int:
        """Hz"""
        return int(self._hertz)

    def speak(self, text: str, voice: str = "") -> Iterator[bytes]:
        """Yield int16 mono sound; espeak-ng makes a second of it in about a millisecond."""
        self._take(voice or self._usual)
        self._cancelled = False
        self._sound.clear()
        plain = "".join(c if c.isprintable() else " " for c in text).replace("[[", "[ [").encode("utf-8", "replace")
        done = self._lib.espeak_Synth(plain, len(plain) + 1, 0, 1, 0, UTF8, None, None)
        if done != 0:
            raise RuntimeError(f"espeak_Synth returned {done}")
        sound = _trimmed(bytes(self._sound), self._hertz)
        for at in range(0, len(sound), PIECE * 2):
            yield sound[at : at + PIECE * 2]

    def _take(self, voice: str) -> None:
        if voice == self._voice:
            return
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            self._voice = ""
            raise RuntimeError(f"espeak-ng has no voice {voice!r}; 'espeak-ng --voices' lists them")
        self._lib.espeak_SetParameter(RATE, self._rate, 0)
        self._lib.espeak_SetParameter(PITCH, self._pitch, 0)
        self._voice = voice

    def cancel(self) -> None:
        """Stop speaking; called from another thread."""
        self._cancelled = True

    def _heard(self, wave: ctypes._Pointer[ctypes.c_short], count: int, _events: object) -> int:
        if wave and count > 0:
            self._sound += ctypes.string_at(wave, count * 2)
        return 1 if self._cancelled else 0


def _trimmed(sound: bytes, hertz: int, floor: int = 60, pause: float = 0.15) -> bytes:
    """Cut what is silent at both ends; leave ``pause`` seconds after the sentence."""
    block = hertz // 100 * 2
    loud = [
        at for at in range(0, len(sound), block)
        if max(map(abs, struct.unpack_from(f"<{min(block, len(sound) - at) // 2}h", sound, at)), default=0) > floor
    ]  # fmt: skip
    if not loud:
        return b""
    body = sound[max(0, loud[0] - block) : loud[-1] + 2 * block]
    return body + bytes(int(hertz * pause) * 2)
