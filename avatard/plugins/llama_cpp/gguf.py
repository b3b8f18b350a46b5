"""The head of a GGUF file: what the model is, whether the file is whole, and what it will take.

Source: docs/gguf.md of ggml, versions 2 and 3; the sizes of the blocks are ggml's (ggml-common.h).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from avatard.api.errors import ConfigError

MAGIC = b"GGUF"
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
"""Type of a tensor → numbers in a block, bytes of a block."""
KEPT = 1024
"""Numbers of an array that are kept: those for each layer, not those for each token."""
LONGEST = 1 << 20
"""Bytes of a text that is kept."""
LIBRARY = 100.0
"""Megabytes that Python, numpy, llama.cpp and its buffers take in the child beside the model."""
SILENT = {"bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "modern-bert", "neo-bert",
          "eurobert", "t5encoder", "gemma-embedding", "clip", "wavtokenizer-dec"}  # fmt: skip
"""Architectures that write no text."""


@dataclass(frozen=True, slots=True)
class Gguf:
    """A model's file, as its head describes it."""

    path: Path
    size: int
    """Bytes"""
    values: Mapping[str, Any]
    """Its metadata without long arrays"""

    @property
    def architecture(self) -> str:
        """What it is, e.g. ``llama`` or ``qwen2``."""
        return str(self.values["general.architecture"])

    @property
    def trained(self) -> int:
        """Tokens that it was trained to take in; 0 where the file does not say."""
        return self._number("context_length")

    @property
    def has_template(self) -> bool:
        """Whether the file says how a conversation is written."""
        return bool(self.values.get("tokenizer.chat_template"))

    def cache_mb(self, context: int) -> float:
        """What the attention's keys and values for so many tokens take, float16."""
        heads = self.values.get(f"{self.architecture}.attention.head_count_kv")
        layers, many = self._number("block_count"), self._number("attention.head_count")
        for_each = heads if isinstance(heads, list) and heads else [heads if isinstance(heads, int) else many] * layers
        head = self._number("embedding_length") // max(1, many)
        wide = (self._number("attention.key_length") or head) + (self._number("attention.value_length") or head)
        return sum(for_each) * wide * 2 * context / 1e6

    def megabytes(self, context: int) -> float:
        """What the child will take with so long a context."""
        return self.size / 1e6 + self.cache_mb(context) + LIBRARY

    def _number(self, key: str) -> int:
        value = self.values.get(f"{self.architecture}.{key}", 0)
        value = max(value, default=0) if isinstance(value, list) else value
        return value if isinstance(value, int) else 0


class _Damaged(Exception):
    """The bytes are no GGUF."""


def examine(path: Path) -> Gguf:
    """Read the head of a model's file.

    Raises:
        ConfigError: it is missing, no GGUF, cut short, or no model that answers.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                raise ConfigError(f"llama_cpp: {path}: not a GGUF file; choose a model's file that ends in .gguf")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                head, end = _head(data)
                size = len(data)
    except OSError as err:
        raise ConfigError(f"llama_cpp: {path}: {err.strerror}; give 'model' the path of a GGUF file") from err
    except (_Damaged, struct.error, UnicodeDecodeError) as err:
        raise ConfigError(f"llama_cpp: {path}: cut short or damaged ({err}); download it again") from err
    if size < end:
        raise ConfigError(f"llama_cpp: {path}: cut short: {size} of {end} bytes are there; download it again")
    found = Gguf(path, size, head)
    if reason := _useless(head, end):
        raise ConfigError(f"llama_cpp: {path}: {reason}; choose an instruction-tuned language model")
    return found


def _useless(head: Mapping[str, Any], end: int) -> str:
    """Why the model cannot answer."""
    architecture, kind = head.get("general.architecture"), head.get("general.type", "model")
    if not isinstance(architecture, str):
        return "it does not say what it is (general.architecture)"
    if kind != "model":
        return f"it is no model of its own but one's part ({kind!r})"
    causal = head.get(f"{architecture}.attention.causal", True)
    if architecture in SILENT or not causal or head.get(f"{architecture}.pooling_type") not in (None, 0):
        return f"a model of the kind {architecture!r} that writes no text: it makes embeddings or hears or sees"
    if not end:
        return "it has a vocabulary and no weights"
    return ""


def _head(data: mmap.mmap) -> tuple[dict[str, Any], int]:
    """The metadata, and where the file must end; 0 where there are no weights."""
    reader = _Reader(data)
    version = reader.scalar("I", 4)
    if version not in (2, 3):
        raise _Damaged(f"GGUF version {version}; 2 and 3 are known")
    tensors, entries = reader.scalar("Q"), reader.scalar("Q")
    values: dict[str, Any] = {}
    for _ in range(entries):
        key = reader.text()
        values[key] = reader.value(reader.scalar("I"))
    ends = [reader.tensor() for _ in range(tensors)]
    step = values.get("general.alignment", 32)
    if not isinstance(step, int) or step < 1:
        raise _Damaged(f"general.alignment is {step!r}")
    return values, -(-reader.at // step) * step + max(ends) if ends else 0


class _Reader:
    """Walks through the head."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data, self.at = data, 0

    def scalar(self, kind: str, skip: int = 0) -> Any:
        self.at += skip
        (value,) = struct.unpack_from(f"<{kind}", self._data, self.at)
        self.at += struct.calcsize(f"<{kind}")
        return value

    def text(self) -> str:
        length = self.scalar("Q")
        start = self._skip(length)
        return self._data[start : start + min(length, LONGEST)].decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.text()
        if kind in SCALARS:
            return self.scalar(SCALARS[kind])
        if kind != ARRAY:
            raise _Damaged(f"a value of the unknown type {kind}")
        inner, count = self.scalar("I"), self.scalar("Q")
        if inner == STRING:
            for _ in range(count):
                self._skip(self.scalar("Q"))
            return None
        if inner not in SCALARS:
            raise _Damaged(f"an array of the type {inner}")
        start = self._skip(struct.calcsize(f"<{SCALARS[inner]}") * count)
        return list(struct.unpack_from(f"<{count}{SCALARS[inner]}", self._data, start)) if count <= KEPT else None

    def tensor(self) -> int:
        """Where the tensor ends, bytes after the head."""
        self.text()
        dimensions = self.scalar("I")
        if dimensions > 8:
            raise _Damaged(f"a tensor of {dimensions} dimensions")
        numbers = prod(self.scalar("Q") for _ in range(dimensions))
        kind, offset = self.scalar("I"), self.scalar("Q")
        block, wide = BLOCKS.get(kind, (1, 0))
        return int(offset + numbers // block * wide)

    def _skip(self, length: int) -> int:
        start = self.at
        self.at += length
        if self.at > len(self._data):
            raise _Damaged("its head ends in the midst of a value")
        return start
