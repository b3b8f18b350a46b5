"""What a model's child and its parent say to each other: length-prefixed JSON and bytes. Standard library only.

A message is ``>II`` (length of the JSON, length of the bytes), the JSON, the bytes. In the JSON a bytes value stands
as ``{"$bytes": [offset, length]}``.
"""

from __future__ import annotations

import json
import struct
from typing import Any

HEADER = struct.Struct(">II")
LARGEST = 256 * 1024 * 1024
"""Bytes; a longer message means that the stream is out of step."""


def pack(message: dict[str, Any]) -> bytes:
    """Turn a message into bytes."""
    blobs: list[bytes] = []
    offset = 0

    def bare(value: Any) -> Any:
        nonlocal offset
        if isinstance(value, bytes | bytearray | memoryview):
            blobs.append(bytes(value))
            offset += len(blobs[-1])
            return {"$bytes": [offset - len(blobs[-1]), len(blobs[-1])]}
        if isinstance(value, dict):
            return {key: bare(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [bare(item) for item in value]
        return value

    text = json.dumps(bare(message)).encode()
    return HEADER.pack(len(text), offset) + text + b"".join(blobs)


def lengths(header: bytes) -> tuple[int, int]:
    """Read a header: the JSON's and the bytes' length.

    Raises:
        ValueError: the lengths are absurd.
    """
    text, blob = HEADER.unpack(header)
    if text + blob > LARGEST:
        raise ValueError(f"a message of {text + blob} bytes")
    return text, blob


def unpack(text: bytes, blob: bytes) -> dict[str, Any]:
    """Turn the two parts of a message into the message.

    Raises:
        ValueError: it is not a message.
    """

    def full(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {"$bytes"}:
                start, length = value["$bytes"]
                return blob[start : start + length]
            return {key: full(item) for key, item in value.items()}
        if isinstance(value, list):
            return [full(item) for item in value]
        return value

    message = full(json.loads(text))
    if not isinstance(message, dict):
        raise ValueError("not a message")
    return message
