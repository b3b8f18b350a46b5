"""Small Piper voices, which the real piper-tts loads: a tone as long as there are phonemes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HOP = 1024
"""Samples for each phoneme at speed 1."""


def voice(folder: Path, name: str = "en_US-tone-low", *, rate: int = 22_050, hertz: float = 220, speakers: int = 1,
          language: str = "en", **changes: Any) -> Path:  # fmt: skip
    """Write ``name.onnx`` and its JSON file; keywords change the JSON."""
    from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    onnx.save(_network(hertz / rate, speakers), path)
    settings = {
        "audio": {"sample_rate": rate}, "espeak": {"voice": {"en": "en-us"}.get(language, language)},
        "language": {"code": language, "family": language}, "phoneme_type": "espeak",
        "num_symbols": 256, "num_speakers": speakers, "inference": {"length_scale": 1.0},
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "speaker_id_map": {f"speaker{n}": n for n in range(speakers)} if speakers > 1 else {},
    }  # fmt: skip
    Path(f"{path}.json").write_text(json.dumps({k: v for k, v in (settings | changes).items() if v is not None}))
    return path


def _network(cycles: float, speakers: int) -> Any:
    """sin(2π · cycles · (1 + speaker) · n) for n below phonemes · HOP · length scale, as [1, 1, 1, n]."""

    def constant(name: str, value: Any, kind: Any) -> Any:
        return numpy_helper.from_array(np.array(value, kind), name)

    nodes = [
        helper.make_node("Cast", ["input_lengths"], ["phonemes"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["scales", "one"], ["length_scale"]),
        helper.make_node("Mul", ["phonemes", "length_scale"], ["scaled"]),
        helper.make_node("Mul", ["scaled", "hop"], ["samples"]),
        helper.make_node("ReduceMax", ["samples"], ["count"], keepdims=0),
        helper.make_node("Range", ["zero", "count", "step"], ["time"]),
        helper.make_node("Mul", ["time", "turn"], ["base"]),
    ]
    phase = "base"
    if speakers > 1:
        nodes += [
            helper.make_node("Cast", ["sid"], ["speaker"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["speaker", "step"], ["times"]),
            helper.make_node("Mul", ["base", "times"], ["phase"]),
        ]
        phase = "phase"
    nodes += [
        helper.make_node("Sin", [phase], ["wave"]),
        helper.make_node("Mul", ["wave", "loudness"], ["quiet"]),
        helper.make_node("Reshape", ["quiet", "shape"], ["output"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if speakers > 1:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
    weights = [
        constant("one", [1], np.int64), constant("hop", [HOP], np.float32), constant("zero", 0, np.float32),
        constant("step", 1, np.float32), constant("turn", 2 * np.pi * cycles, np.float32),
        constant("loudness", 0.5, np.float32), constant("shape", [1, 1, 1, -1], np.int64),
    ]  # fmt: skip
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, "samples"])
    model = helper.make_model(helper.make_graph(nodes, "tone", inputs, [output], weights),
                              opset_imports=[helper.make_opsetid("", 17)])  # fmt: skip
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
