"""Speech with phoneme times: by espeak-ng, many voices made of formulas, and by flite, few but made from people's."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phones import Phone, plain

SYNCHRONOUS, PHONEME_EVENTS, IPA, UTF8 = 2, 1, 2, 1
"""espeak-ng speak_lib.h: AUDIO_OUTPUT_SYNCHRONOUS, espeakINITIALIZE_PHONEME_EVENTS and _IPA, espeakCHARS_UTF8"""
RATE, VOLUME, PITCH, SPAN = 1, 2, 3, 4
"""espeakRATE, espeakVOLUME, espeakPITCH, espeakRANGE"""
END, WORD, PHONEME = 0, 1, 7
"""espeakEVENT_LIST_TERMINATED, _WORD, _PHONEME"""
GAP = 0.08
"""Seconds: a pause between words that is longer is one."""


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("unique", ctypes.c_uint), ("text_position", ctypes.c_int), ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int), ("sample", ctypes.c_int), ("user_data", ctypes.c_void_p), ("id", _Id),
    ]  # fmt: skip


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence and when each of its sounds was made."""

    sound: NDArray[np.int16]
    rate: int
    """Hz"""
    phones: list[Phone]


ARPABET = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "axr": "ɚ", "ay": "aɪ", "b": "b", "ch": "tʃ",
    "d": "d", "dh": "ð", "dx": "ɾ", "eh": "ɛ", "el": "əl", "em": "m", "en": "n", "er": "ɚ", "ey": "eɪ", "f": "f",
    "g": "ɡ", "hh": "h", "hv": "h", "ih": "ɪ", "iy": "i", "jh": "dʒ", "k": "k", "l": "l", "m": "m", "n": "n",
    "ng": "ŋ", "nx": "n", "ow": "oʊ", "oy": "ɔɪ", "p": "p", "r": "ɹ", "s": "s", "sh": "ʃ", "t": "t", "th": "θ",
    "uh": "ʊ", "uw": "u", "v": "v", "w": "w", "y": "j", "z": "z", "zh": "ʒ", "pau": "",
}  # fmt: skip
"""flite's phonemes as IPA."""


def flite(text: str, voice: str, stretch: float = 1.0) -> Spoken:
    """Speak a text with one of flite's voices, ``stretch`` times as slowly (Debian: apt install flite).

    Raises:
        FileNotFoundError: there is no flite.
    """
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch}", "-psdur", "-t", text, "-o"]
        said = subprocess.run([*command, file.name], capture_output=True, text=True, check=True).stdout
        with wave.open(file.name) as recording:
            data, rate = recording.readframes(recording.getnframes()), recording.getframerate()
    phones, begin = [], 0.0
    for name, end in (item.split(":") for item in said.split()):
        phones.append(Phone(ARPABET[name], begin, float(end)))
        begin = float(end)
    return Spoken(np.frombuffer(data, np.int16), rate, phones)


MADE = "made"
"""The variant that is whatever ``Espeak.make`` was given last."""


def _linked(data: Path, folder: Path) -> Path:
    """Lay out espeak-ng's data again, so that a variant can be added: all are links."""
    own = folder / "espeak-ng-data"
    inner = (Path(), Path("voices"), Path("voices", "!v"))
    (own / inner[-1]).mkdir(parents=True)
    for part in inner:
        for path in (data / part).iterdir():
            if not (own / part / path.name).exists():
                (own / part / path.name).symlink_to(path)
    (own / inner[-1] / MADE).write_text(f"language variant\nname {MADE}\n")
    return own


class Espeak:
    """The library; it has global state, so there is one in a process."""

    def __init__(self) -> None:
        """Load it with its voices."""
        import espeakng_loader

        self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
        self._folder = tempfile.TemporaryDirectory()
        data = _linked(Path(espeakng_loader.get_data_path()), Path(self._folder.name))
        self._made = data / "voices" / "!v" / MADE
        self._rate = self._lib.espeak_Initialize(SYNCHRONOUS, 0, str(data).encode(), PHONEME_EVENTS | IPA)
        if self._rate <= 0:
            raise RuntimeError("espeak-ng found no voice data")
        self._callback = _Callback(self._heard)
        self._lib.espeak_SetSynthCallback(self._callback)
        self._sound = bytearray()
        self._events: list[tuple[int, int, str]] = []

    def make(self, variant: str) -> None:
        """Let the variant ``made`` be what this file's content says."""
        self._made.write_text(variant)

    def speak(self, text: str, voice: str, rate: int = 165, pitch: int = 50, span: int = 50) -> Spoken:
        """Speak a text.

        Args:
            text: what to say.
            voice: e.g. ``en-us+f2``.
            rate: words a minute.
            pitch: 0-100.
            span: of the pitch, 0-100.
        """
        self._sound.clear()
        self._events.clear()
        if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice!r}")
        for what, value in ((RATE, rate), (PITCH, pitch), (SPAN, span), (VOLUME, 80)):
            self._lib.espeak_SetParameter(what, value, 0)
        letters = text.encode()
        self._lib.espeak_Synth(letters, len(letters) + 1, 0, 1, 0, UTF8, None, None)
        sound = np.frombuffer(bytes(self._sound), np.int16)
        return Spoken(sound, self._rate, self._phones(len(sound) / self._rate))

    def _phones(self, seconds: float) -> list[Phone]:
        """What lies between a word's mark and its first sound belongs to both: no mouth rests for a twentieth second.

        It is silence as before a p within a word, which espeak-ng counts as the sound before.
        """
        ends = [event[1] / self._rate for event in self._events[1:]] + [seconds]
        out = [
            Phone(ipa if kind == PHONEME else "", sample / self._rate, end)
            for (kind, sample, ipa), end in zip(self._events, ends, strict=True)
            if end > sample / self._rate
        ]
        for at in range(1, len(out) - 1):
            before, gap, after = out[at - 1 : at + 2]
            if not plain(gap.ipa) and plain(after.ipa) and gap.end - gap.begin < GAP:
                middle = (gap.begin + gap.end) / 2
                out[at - 1], out[at + 1] = Phone(before.ipa, before.begin, middle), Phone(after.ipa, middle, after.end)
                out[at] = Phone("", middle, middle)
        return [phone for phone in out if phone.end > phone.begin]

    def _heard(self, wave: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if wave and count > 0:
            self._sound += ctypes.string_at(wave, count * 2)
        at = 0
        while events[at].type != END:
            event = events[at]
            if event.type in (WORD, PHONEME):
                name = bytes(event.id.string).decode("utf-8", "ignore") if event.type == PHONEME else ""
                self._events.append((event.type, event.sample, name))
            at += 1
        return 0
