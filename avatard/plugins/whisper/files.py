"""whisper.cpp's model files: found by name, and looked at before the library, which a damaged one crashes, opens them.

Source of the layout: whisper.cpp, ``models/convert-pt-to-ggml.py``. Standard library only.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from avatard.api.errors import NotReady

MAGIC = 0x67676D6C
ENGLISH_WORDS = 51_864
"""Size of the vocabulary of the models that know English alone."""
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34)}
"""ggml's types of numbers: how many stand in a block, and its bytes (f32, f16, q4_0, q4_1, q5_0, q5_1, q8_0)."""
NEITHER, EACH_ENCODER, EACH_DECODER = 11, 15, 24
"""Tensors outside the layers, and in each."""


@dataclass(frozen=True, slots=True)
class Model:
    """What a file says of itself."""

    words: int
    """Size of the vocabulary."""
    context: int
    """Of the encoder: 1500 are 30 s."""

    @property
    def english(self) -> bool:
        """Whether it knows English alone."""
        return self.words <= ENGLISH_WORDS


def located(name: str, folder: Path) -> Path:
    """The file of a model: named (``base`` is ``ggml-base.bin``), or given as a path.

    Raises:
        NotReady: there is none.
    """
    path = Path(name).expanduser()
    if path.suffix != ".bin":
        path = folder / f"ggml-{name}.bin"
    elif not path.is_absolute() and not path.is_file():
        path = folder / path
    if not path.is_file():
        there = ", ".join(p.stem.removeprefix("ggml-") for p in sorted(folder.glob("ggml-*.bin"))) or "none"
        raise NotReady(f"whisper: no model {path}; models in {folder}: {there}")
    return path


def check(path: Path) -> Model:
    """Walk through the whole file without reading its weights.

    Raises:
        NotReady: it is no Whisper model of whisper.cpp, or cut short.
    """
    try:
        with path.open("rb") as file:
            return _walk(file, path.stat().st_size)
    except OSError as err:
        raise NotReady(f"whisper: {path}: {err.strerror}") from err
    except (ValueError, struct.error) as err:
        raise NotReady(f"whisper: {path}: no Whisper model of whisper.cpp, or cut short ({err}); get it again") from err


def _walk(file: BinaryIO, size: int) -> Model:
    def numbers(count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}i", file.read(4 * count))

    def skip(count: int) -> None:
        if not 0 <= count <= size - file.tell():
            raise ValueError("it ends too early")
        file.seek(count, os.SEEK_CUR)

    if numbers(1)[0] != MAGIC:
        raise ValueError("it begins with something else")
    words, context, _, _, encoders, _, _, _, decoders, mels, _ = numbers(11)
    bands, bins = numbers(2)
    if not (0 < words < 10**6 and 0 < encoders < 1000 and 0 < decoders < 1000 and bands == mels and 0 < bins < 10**5):
        raise ValueError("its header is absurd")
    skip(4 * bands * bins)
    for _ in range(numbers(1)[0]):
        skip(numbers(1)[0])
    tensors = 0
    while file.tell() < size:
        dimensions, name, kind = numbers(3)
        if not 1 <= dimensions <= 4 or kind not in BLOCKS:
            raise ValueError("its weights are of no known kind")
        elements = 1
        for count in numbers(dimensions):
            elements *= count
        skip(name)
        block, length = BLOCKS[kind]
        skip(elements // block * length)
        tensors += 1
    if tensors != NEITHER + EACH_ENCODER * encoders + EACH_DECODER * decoders:
        raise ValueError("some of its weights are missing")
    return Model(words, context)
