"""Small Whisper models, which the real whisper.cpp loads: whatever they hear, they say what they were made to say."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STATE, CONTEXT, REPLY = 64, 1500, 64
"""Width, the encoder's context (30 s), the decoder's."""
MELS, BINS = 80, 201
ENGLISH, MULTILINGUAL = 51_864, 51_865
"""Sizes of the vocabulary; the first has one word less, so that all that follows lies one lower."""
PLAIN = 50_256
"""Words that are no signs."""
FIRST = 300
"""The number of the first word of what is said; the 256 bytes come before."""

Floats = NDArray[np.float64]


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def numbers(self, *values: int) -> None:
        self.data += struct.pack(f"<{len(values)}i", *values)

    def tensor(self, name: str, values: Floats, half: bool) -> None:
        self.numbers(values.ndim, len(name), int(half), *reversed(values.shape))
        self.data += name.encode() + values.astype("<f2" if half else "<f4").tobytes()

    def norm(self, name: str) -> None:
        self.tensor(f"{name}.weight", np.ones(STATE), False)
        self.tensor(f"{name}.bias", np.zeros(STATE), False)

    def linear(self, name: str, into: int, out: int, bias: bool = True) -> None:
        self.tensor(f"{name}.weight", np.zeros((out, into)), True)
        if bias:
            self.tensor(f"{name}.bias", np.zeros(out), False)

    def attention(self, name: str) -> None:
        for part in ("query", "key", "value", "out"):
            self.linear(f"{name}.{part}", STATE, STATE, bias=part != "key")
        self.norm(f"{name}_ln")


def whisper(path: Path, says: str = "turn on the lights", *, language: str = "", layers: int = 1) -> Path:
    """Write a model; with a ``language`` ("en", "zh", "de") a multilingual one that takes what it hears for that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    words, file = says.split(), _Writer()
    count = MULTILINGUAL if language else ENGLISH
    file.numbers(0x67676D6C, count, CONTEXT, STATE, 1, layers, REPLY, STATE, 1, layers, MELS, 1, MELS, BINS)
    file.data += np.full((MELS, BINS), 0.01, "<f4").tobytes()
    vocabulary = [bytes([n]) for n in range(256)] + [b" x%d" % n for n in range(256, PLAIN)]
    vocabulary[FIRST : FIRST + len(words)] = [f" {word}".encode() for word in words]
    file.numbers(len(vocabulary))
    for word in vocabulary:
        file.numbers(len(word))
        file.data += word
    embedding, order = _meaning(len(words), count, language)
    file.tensor("decoder.positional_embedding", order, False)
    file.tensor("encoder.positional_embedding", np.zeros((CONTEXT, STATE)), False)
    file.tensor("decoder.token_embedding.weight", embedding, True)
    for name, width in (("conv1", MELS), ("conv2", STATE)):
        file.tensor(f"encoder.{name}.weight", np.zeros((STATE, width, 3)), True)
        file.tensor(f"encoder.{name}.bias", np.zeros((STATE, 1)), False)
    for part in ("encoder", "decoder"):
        for layer in range(layers):
            block = f"{part}.blocks.{layer}"
            file.attention(f"{block}.attn")
            if part == "decoder":
                file.attention(f"{block}.cross_attn")
            file.linear(f"{block}.mlp.0", STATE, 4 * STATE)
            file.linear(f"{block}.mlp.2", 4 * STATE, STATE)
            file.norm(f"{block}.mlp_ln")
    file.norm("encoder.ln_post")
    file.norm("decoder.ln")
    path.write_bytes(file.data)
    return path


def _meaning(words: int, count: int, language: str) -> tuple[Floats, Floats]:
    """Each word's direction, and for each place in the reply the direction of the word that comes there.

    With all other weights zero, the word that fits the place best is the next one.
    """
    embedding = np.random.default_rng(5).normal(0, 0.2, (count, STATE))
    end = PLAIN + (count == MULTILINGUAL)
    reply = [*range(FIRST, FIRST + words), end]
    # Before it stand: start, language, task, no timestamps; the English ones have neither language nor task.
    begin = 3 if language else 1
    order = np.zeros((REPLY, STATE))
    if language:
        first = end + 2 + ("en", "zh", "de").index(language)
        embedding[first] *= 2
        order[0] = 50 * embedding[first]
    for place in range(begin, REPLY):
        word = reply[min(place - begin, words)]
        embedding[word] *= 2 if place <= begin + words else 1
        order[place] = 50 * embedding[word]
    return embedding, order
