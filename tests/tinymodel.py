"""A tiny GGUF: a llama of random weights, or one that says what it should. Its vocabulary: bytes, marks, some words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np

WIDE, LAYERS, HEADS = 64, 2, 4
MARKS = ("<|im_start|>", "<|im_end|>", "<|secret|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LINE = "<0x0A>"
"""The token of a line's end: with it the template ends."""
HELLO = {LINE: "▁hello", "▁hello": "▁you", "▁you": ".", ".": "<|im_end|>"}
"""It says "hello you." """
ENDLESS = {LINE: "▁hello", "▁hello": "▁the", "▁the": "▁lamp", "▁lamp": ".", ".": "▁hello"}
CALL = {LINE: "{", "{": "▁you", "▁you": ".", ".": "<|im_end|>"}
"""It begins a call."""
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
"""llama.h: llama_token_type"""


def vocabulary(marks: tuple[str, ...] = MARKS) -> tuple[list[bytes], list[int]]:
    """Texts and kinds of the tokens."""
    head = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL), *((mark, CONTROL) for mark in marks)]
    bytes_ = [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    letters = [(chr(c), NORMAL) for c in range(33, 127)]
    words = [("▁", NORMAL), *((f"▁{word}", NORMAL) for word in ("the", "is", "lamp", "hello", "you")),
             ("|>", NORMAL)]
    every = [*head, *bytes_, *letters, *words]
    return [text.encode() for text, _ in every], [kind for _, kind in every]


def tiny(
    path: Path, *, template: str | None = TEMPLATE, marks: tuple[str, ...] = MARKS, context: int = 4096,
    architecture: str = "llama", says: dict[str, str] | None = None, weights: bool = True, wide: int = WIDE,
    layers: int = LAYERS, **values: Any,
) -> Path:  # fmt: skip
    """Write a model; ``says`` maps each token to the one that it says after it (a line's end begins the reply)."""
    rng = np.random.default_rng(7)
    writer = gguf.GGUFWriter(path, architecture)
    tokens, kinds = vocabulary(marks)
    writer.add_context_length(context)
    writer.add_embedding_length(wide)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(2 * wide)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(wide // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_scores([-float(n) for n in range(len(tokens))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(tokens.index(b"<|im_end|>") if b"<|im_end|>" in tokens else 2)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    if template is not None:
        writer.add_chat_template(template)
    for key, value in values.items():
        getattr(writer, f"add_{key}")(value)
    if weights:
        after = {tokens.index(a.encode()): tokens.index(b.encode()) for a, b in (says or {}).items()}
        for name, data in _tensors(rng, len(tokens), wide, layers, after):
            writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(
    rng: np.random.Generator, many: int, wide: int, layers: int, after: dict[int, int]
) -> list[tuple[str, Any]]:
    def some(*shape: int, size: float = 0.3) -> Any:
        return size * rng.standard_normal(shape, np.float32)

    words, output = some(many, wide), some(many, wide)
    output[:3] = 0
    if after:
        # The layers add nothing, so the last token alone decides: what comes after it points to where it points.
        output[:] = 0
        for before, then in after.items():
            output[then] += 40 * words[before] / np.linalg.norm(words[before])
    size = 0.0 if after else 0.3
    found = [("token_embd.weight", words), ("output_norm.weight", np.ones(wide, np.float32)),
             ("output.weight", output)]  # fmt: skip
    for layer in range(layers):
        part = f"blk.{layer}"
        found += [(f"{part}.{name}.weight", np.ones(wide, np.float32)) for name in ("attn_norm", "ffn_norm")]
        found += [(f"{part}.attn_{name}.weight", some(wide, wide)) for name in ("q", "k", "v")]
        found += [(f"{part}.attn_output.weight", some(wide, wide, size=size))]
        found += [(f"{part}.ffn_{name}.weight", some(2 * wide, wide)) for name in ("gate", "up")]
        found += [(f"{part}.ffn_down.weight", some(wide, 2 * wide, size=size))]
    return found
