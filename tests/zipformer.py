"""A small streaming transducer, which the real sherpa-onnx loads: a low tone is one word to it, a high one another.

Its kind is sherpa-onnx's simplest (``lstm``); what users have (``zipformer2``) is opened by the same call.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BANDS, LENGTH, STEP = 80, 9, 4
"""Mel bands; frames that the encoder sees at once, and goes on by."""
TOKENS = ("<blk>", "▁LOW", "▁HIGH", "<unk>")
PEAKS = {1: (slice(8, 14), slice(30, 40)), 2: (slice(70, 76), slice(50, 60))}
"""Token → the mel bands where its tone lies (300 and 6000 Hz), and some where it does not."""
ABOVE = 4.0
"""By how much (log energy) the ones exceed the others."""


def zipformer(folder: Path) -> Path:
    """Write a model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokens.txt").write_text("".join(f"{token} {n}\n" for n, token in enumerate(TOKENS)))
    size = len(TOKENS)
    weights = np.zeros((BANDS, size), np.float32)
    for token, (peak, beside) in PEAKS.items():
        weights[peak, token], weights[beside, token] = 1 / 6, -1 / 10
    encoder = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["mean", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["encoder_out"]),
        helper.make_node("Identity", ["h"], ["new_h"]), helper.make_node("Identity", ["c"], ["new_c"]),
    ]  # fmt: skip
    state: list[Any] = [1, "N", 1]
    _write(folder / "encoder.onnx", encoder,
           [("x", TensorProto.FLOAT, ["N", LENGTH, BANDS]), ("h", TensorProto.FLOAT, state),
            ("c", TensorProto.FLOAT, state)],
           [("encoder_out", TensorProto.FLOAT, ["N", 1, size]), ("new_h", TensorProto.FLOAT, state),
            ("new_c", TensorProto.FLOAT, state)],
           {"weights": weights, "bias": np.array([0, -ABOVE, -ABOVE, -1e3], np.float32)},
           {"model_type": "lstm", "num_encoder_layers": 1, "T": LENGTH, "decode_chunk_len": STEP,
            "rnn_hidden_size": 1, "d_model": 1})  # fmt: skip
    # What was said last is not said again at once: a long tone is one word.
    again = np.where(np.eye(size, dtype=bool), -100, 0).astype(np.float32)
    again[0] = 0
    decoder = [helper.make_node("Gather", ["y", "place"], ["last"], axis=1),
               helper.make_node("Gather", ["again", "last"], ["decoder_out"])]  # fmt: skip
    _write(folder / "decoder.onnx", decoder, [("y", TensorProto.INT64, ["N", 2])],
           [("decoder_out", TensorProto.FLOAT, ["N", size])], {"again": again, "place": np.int64(1)},
           {"vocab_size": size, "context_size": 2})  # fmt: skip
    put = [("encoder_out", TensorProto.FLOAT, ["N", size]), ("decoder_out", TensorProto.FLOAT, ["N", size])]
    _write(folder / "joiner.onnx", [helper.make_node("Add", ["encoder_out", "decoder_out"], ["logit"])], put,
           [("logit", TensorProto.FLOAT, ["N", size])], {}, {"joiner_dim": size})  # fmt: skip
    return folder


def _write(
    path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any],
    meta: dict[str, Any],
) -> None:  # fmt: skip
    graph = helper.make_graph(
        nodes, path.stem, [helper.make_tensor_value_info(*put) for put in inputs],
        [helper.make_tensor_value_info(*put) for put in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    helper.set_model_props(model, {name: str(value) for name, value in meta.items()})
    onnx.checker.check_model(model)
    onnx.save(model, path)
