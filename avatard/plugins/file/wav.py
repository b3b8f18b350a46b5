"""WAV files of any rate, width and channel count to 16 kHz mono."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatard.api.errors import ConfigError
from avatard.api.flow import LISTEN_RATE, Samples

Floats = NDArray[np.floating[Any]]

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
"""Format tags of RIFF/WAVE (mmreg.h)."""


def read_wav(path: Path) -> Samples:
    """Read a recording as 16 kHz mono int16.

    Raises:
        ConfigError: naming the file and what is wrong with it.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        raise ConfigError(f"recording {path}: {err.strerror}") from err
    tag, channels, rate, width, sound = _chunks(path, data)
    frame = width // 8 * channels
    sound = sound[: len(sound) // frame * frame]
    if not sound:
        raise ConfigError(f"recording {path}: there is no sound in it")
    mono = _floats(path, tag, width, sound).reshape(-1, channels).mean(axis=1)
    if rate != LISTEN_RATE:
        import soxr

        mono = soxr.resample(mono, rate, LISTEN_RATE)
    result: Samples = np.clip(np.rint(np.nan_to_num(mono) * 32768), -32768, 32767).astype(np.int16)
    return result


def _chunks(path: Path, data: bytes) -> tuple[int, int, int, int, bytes]:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ConfigError(f"recording {path}: not a WAV file; convert it with: ffmpeg -i INPUT {path.stem}.wav")
    form: tuple[int, int, int, int] | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            tag, channels, rate, _, _, width = struct.unpack_from("<HHIIHH", body)
            if tag == EXTENSIBLE and len(body) >= 26:
                tag = struct.unpack_from("<H", body, 24)[0]
            form = tag, channels, rate, width
        elif name == b"data" and form is not None:
            tag, channels, rate, width = form
            if tag not in (PCM, FLOAT) or not 1 <= channels <= 32 or not 1000 <= rate <= 768_000 or (
                width not in ((8, 16, 24, 32) if tag == PCM else (32, 64))
            ):
                raise ConfigError(f"recording {path}: format {tag}, {channels} channels, {rate} Hz, {width} bits is "
                                  "not understood; convert it to 16-bit PCM")  # fmt: skip
            return tag, channels, rate, width, body
        at += 8 + size + (size & 1)
    raise ConfigError(f"recording {path}: cut short: it has no sound chunk")


def _floats(path: Path, tag: int, width: int, sound: bytes) -> Floats:
    if tag == FLOAT:
        return np.frombuffer(sound, "<f4" if width == 32 else "<f8").astype(np.float32)
    if width == 8:
        return (np.frombuffer(sound, np.uint8).astype(np.float32) - 128) / 128
    if width == 24:
        parts = np.frombuffer(sound, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(parts), 4), np.uint8)
        wide[:, 1:] = parts
        return wide.view("<i4")[:, 0].astype(np.float32) / 2**31
    kind = "<i2" if width == 16 else "<i4"
    samples: Floats = np.frombuffer(sound, kind).astype(np.float32) / float(2 ** (width - 1))
    return samples
