"""What kind of file it is, by its first bytes; and whether it is what its name says."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from avatard.api.errors import ConfigError

SUFFIXES = {".onnx": "onnx", ".gguf": "gguf", ".tflite": "tflite", ".zip": "zip", ".json": "json",
            ".gz": "gzip", ".tgz": "gzip"}  # fmt: skip
PICKLES = {".pth", ".pt", ".ckpt", ".pkl"}
GRAPH = 7
"""The field of an ONNX file that holds its network."""


def format_of(path: Path) -> str:
    """onnx, gguf, tflite, ggml, zip, gzip, pickle, html, json, empty or unknown.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(512)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "empty"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "html"
    if head[:4] == b"PK\x03\x04":
        return "pickle" if _torch(path) else "zip"
    for magic, kind in ((b"GGUF", "gguf"), (b"lmgg", "ggml"), (b"\x1f\x8b", "gzip"), (b"\x80\x02", "pickle")):
        if head.startswith(magic):
            return kind
    if head[4:8] == b"TFL3":
        return "tflite"
    if start[:1] in (b"{", b"["):
        return "json"
    return "onnx" if _onnx(path) else "unknown"


def check(path: Path, name: str) -> None:
    """Check that the file is of the kind that its name says.

    Raises:
        ValueError: it is not, and what it is.
        OSError: it cannot be read.
    """
    found = format_of(path)
    if found == "html":
        raise ValueError("it is a web page, not a model: a login page or an error came instead")
    if found in ("empty", "pickle"):
        raise ValueError(f"it is {found}")
    wanted = SUFFIXES.get(Path(name).suffix.lower())
    if wanted is not None and found != wanted:
        raise ValueError(f"by its first bytes it is {found}, not {wanted}, or was cut short")
    if wanted == "json":
        json.loads(path.read_text("utf-8"))
    if wanted == "gguf":
        _check_gguf(path)


def kind_of(path: Path, given: str | None) -> str:
    """What a user's file is for, told by its bytes or by the user.

    Raises:
        ConfigError: it is no model, may not be loaded, or the user must say what it is for.
    """
    found = format_of(path)
    if found == "pickle" or path.suffix.lower() in PICKLES:
        raise ConfigError(f"{path}: a PyTorch file can run code when it is loaded; export it to ONNX and add that")
    if found not in ("onnx", "gguf", "ggml", "tflite", "zip"):
        raise ConfigError(f"{path}: is {found}: no ONNX, GGUF, ggml or TFLite model or .zip, or cut short")
    try:
        check(path, path.name)
    except ValueError as err:
        raise ConfigError(f"{path}: {err}") from err
    fits = {"gguf": ("llm-gguf",), "ggml": ("stt-whisper",), "tflite": ("wake-openwakeword",),
            "zip": ("stt-vosk",),
            "onnx": ("tts-piper", "lip-sync", "wake-openwakeword", "face-detector")}[found]  # fmt: skip
    if given is not None:
        if given not in fits:
            raise ConfigError(f"{path}: a {found} file is no {given}; it can be {' or '.join(fits)}")
        return given
    if found == "onnx":
        return "tts-piper" if Path(f"{path}.json").is_file() else "lip-sync"
    return fits[0]


def _check_gguf(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(24)
    if len(head) < 24:
        raise ValueError("its header is cut short")
    version, tensors, keys = struct.unpack("<4xIQQ", head)
    if version not in (2, 3) or not 0 < tensors < 100_000 or not 0 < keys < 100_000:
        raise ValueError(f"its header makes no sense (version {version}, {tensors} tensors, {keys} keys)")


def _torch(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return False


def _onnx(path: Path) -> bool:
    """Whether it is protobuf fields from end to end, with the one of a network: what was cut short is not."""
    size = path.stat().st_size
    seen = set()
    with path.open("rb") as file:
        while file.tell() < size:
            tag = _varint(file)
            if tag is None or not 1 <= tag >> 3 <= 30:
                return False
            seen.add(tag >> 3)
            match tag & 7:
                case 0:
                    if _varint(file) is None:
                        return False
                case 2:
                    length = _varint(file)
                    if length is None or file.tell() + length > size:
                        return False
                    file.seek(length, 1)
                case _:
                    return False
    return GRAPH in seen and 1 in seen


def _varint(file: BinaryIO) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if not byte[0] & 0x80:
            return value
    return None
