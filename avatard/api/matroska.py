"""A streaming Matroska writer: raw pictures and PCM sound with explicit timestamps on one pipe.

Source: RFC 9559 (Matroska) and RFC 8794 (EBML). Unknown sizes where a live stream has none.
"""

from __future__ import annotations

import struct

from avatard.api.flow import FPS

UNKNOWN = b"\x01\xff\xff\xff\xff\xff\xff\xff"
"""An EBML size that says: until the next element of this level."""
PICTURE, SOUND = 1, 2
"""Track numbers"""


def _size(length: int) -> bytes:
    return (length | 1 << 56).to_bytes(8, "big")


def _element(id: int, body: bytes) -> bytes:
    return id.to_bytes((id.bit_length() + 7) // 8, "big") + _size(len(body)) + body


def _number(id: int, value: int) -> bytes:
    return _element(id, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def header(width: int, height: int, rate: int, fps: float = FPS) -> bytes:
    """The stream's head: BGR24 pictures of this size and mono s16le sound at ``rate`` Hz, in milliseconds."""
    ebml = _element(0x1A45DFA3, _number(0x4286, 1) + _number(0x42F7, 1) + _number(0x42F2, 4) + _number(0x42F3, 8)
                    + _element(0x4282, b"matroska") + _number(0x4287, 4) + _number(0x4285, 2))  # fmt: skip
    info = _element(0x1549A966, _number(0x2AD7B1, 1_000_000) + _element(0x4D80, b"avatard")
                    + _element(0x5741, b"avatard"))  # fmt: skip
    video = _number(0xB0, width) + _number(0xBA, height) + _element(0x2EB524, b"BGR\x18")
    audio = _element(0xB5, struct.pack(">d", rate)) + _number(0x9F, 1) + _number(0x6264, 16)
    tracks = _element(0x1654AE6B, b"".join((
        _element(0xAE, _number(0xD7, PICTURE) + _number(0x73C5, PICTURE) + _number(0x83, 1) + _number(0x9C, 0)
                 + _element(0x86, b"V_UNCOMPRESSED") + _number(0x23E383, round(1e9 / fps)) + _element(0xE0, video)),
        _element(0xAE, _number(0xD7, SOUND) + _number(0x73C5, SOUND) + _number(0x83, 2) + _number(0x9C, 0)
                 + _element(0x86, b"A_PCM/INT/LIT") + _element(0xE1, audio)),
    )))  # fmt: skip
    return ebml + 0x18538067.to_bytes(4, "big") + UNKNOWN + info + tracks


def cluster(milliseconds: int, pixels: bytes | memoryview | None, audio: bytes) -> bytes:
    """One picture, if any, and its sound, both at this time."""
    return b"".join(parts(milliseconds, pixels, audio))


def parts(
    milliseconds: int, pixels: bytes | memoryview | None, audio: bytes
) -> tuple[bytes, bytes | memoryview, bytes]:
    """The same in three parts, of which the second is the picture itself: it need not be copied."""
    time, sound = _number(0xE7, milliseconds), _begun(SOUND, len(audio)) + audio
    before = _begun(PICTURE, len(pixels)) if pixels is not None else b""
    picture = pixels if pixels is not None else b""
    length = len(time) + len(before) + len(picture) + len(sound)
    return 0x1F43B675.to_bytes(4, "big") + _size(length) + time + before, picture, sound


def _begun(track: int, length: int) -> bytes:
    return b"\xa3" + _size(length + 4) + bytes((0x80 | track,)) + b"\x00\x00\x80"
