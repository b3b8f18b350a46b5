"""A tiny GGUF with random weights: two layers of a llama, bytes and a few marks as its vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np

WIDE, LAYERS, HEADS, HIDDEN = 64, 2, 4, 128
MARKS = ("<|im_start|>", "<|im_end|>", "<|secret|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
"""llama.h: llama_token_type"""


def vocabulary(marks: tuple[str, ...] = MARKS) -> tuple[list[bytes], list[int]]:
    """Texts and kinds of the tokens."""
    head = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL), *((mark, CONTROL) for mark in marks)]
    bytes_ = [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    letters = [(chr(c), NORMAL) for c in range(33, 127)]
    words = [("▁", NORMAL), *((f"▁{word}", NORMAL) for word in ("the", "is", "lamp", "hello", "you"))]
    every = [*head, *bytes_, *letters, *words]
    return [text.encode() for text, _ in every], [kind for _, kind in every]


def tiny(
    path: Path, *, template: str | None = TEMPLATE, marks: tuple[str, ...] = MARKS, context: int = 4096,
    architecture: str = "llama", likely: str = "", weights: bool = True, wide: int = WIDE, **values: Any,
) -> Path:  # fmt: skip
    """Write a model; with ``likely`` it says nothing but these characters, else what comes."""
    rng = np.random.default_rng(7)
    writer = gguf.GGUFWriter(path, architecture)
    tokens, kinds = vocabulary(marks)
    writer.add_context_length(context)
    writer.add_embedding_length(wide)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
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
        for name, data in _tensors(rng, len(tokens), wide, [tokens.index(c.encode()) for c in likely]):
            writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(rng: np.random.Generator, many: int, wide: int, likely: list[int]) -> list[tuple[str, Any]]:
    def some(*shape: int) -> Any:
        return rng.normal(0, 0.3, shape).astype(np.float32)

    output = some(many, wide)
    output[:3] = 0
    found = [("token_embd.weight", some(many, wide)), ("output_norm.weight", np.ones(wide, np.float32)),
             ("output.weight", output)]  # fmt: skip
    for layer in range(LAYERS):
        part = f"blk.{layer}"
        found += [(f"{part}.{name}.weight", np.ones(wide, np.float32)) for name in ("attn_norm", "ffn_norm")]
        found += [(f"{part}.attn_{name}.weight", some(wide, wide)) for name in ("q", "k", "v", "output")]
        found += [(f"{part}.ffn_{name}.weight", some(HIDDEN, wide)) for name in ("gate", "up")]
        found += [(f"{part}.ffn_down.weight", some(wide, HIDDEN))]
    return found
