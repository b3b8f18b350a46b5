"""Small ONNX networks with the interfaces of Silero's and openWakeWord's: they hear loudness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def silero(path: Path, *, rate: bool = True, context_only: bool = False) -> Path:
    """Write a voice activity detector: four times the mean loudness, at most 1; of the context alone, if so said."""
    path.parent.mkdir(parents=True, exist_ok=True)
    end = 64 if context_only else 576
    constants = {"begin": np.array([0]), "end": np.array([end]), "axis": np.array([1]), "four": np.float32(4),
                 "zero": np.float32(0), "one": np.float32(1)}  # fmt: skip
    nodes = [
        helper.make_node("Slice", ["input", "begin", "end", "axis"], ["part"]),
        helper.make_node("Abs", ["part"], ["loud"]),
        helper.make_node("ReduceMean", ["loud"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "four"], ["more"]),
        helper.make_node("Clip", ["more", "zero", "one"], ["output"]),
        helper.make_node("Identity", ["state"], ["stateN"]),
    ]
    inputs: list[tuple[str, int, list[Any]]] = [
        ("input", TensorProto.FLOAT, [1, 576]), ("state", TensorProto.FLOAT, [2, 1, 128])]  # fmt: skip
    if rate:
        inputs.append(("sr", TensorProto.INT64, []))
    outputs = [("output", TensorProto.FLOAT, [1, 1]), ("stateN", TensorProto.FLOAT, [2, 1, 128])]
    return _written(path, nodes, inputs, outputs, constants)


def wake(path: Path, above: float, frames: int = 16) -> Path:
    """Write a wake word model: 1 where the mean size of the embeddings is above this, else 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    constants = {"above": np.float32(above), "shape": np.array([1, 1])}
    nodes = [
        helper.make_node("Abs", ["x"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["mean"], keepdims=0),
        helper.make_node("Greater", ["mean", "above"], ["more"]),
        helper.make_node("Cast", ["more"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["number", "shape"], ["y"]),
    ]
    return _written(path, nodes, [("x", TensorProto.FLOAT, [1, frames, 96])], [("y", TensorProto.FLOAT, [1, 1])],
                    constants)  # fmt: skip


def _written(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, Any]) -> Path:
    graph = helper.make_graph(
        nodes, "loudness", [helper.make_tensor_value_info(*put) for put in inputs],
        [helper.make_tensor_value_info(*put) for put in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def yunet(path: Path, *faces: tuple[int, int, int, int], size: int = 640) -> Path:
    """Write a face detector with YuNet's interface: in a square picture of its size it finds these boxes, always."""
    path.parent.mkdir(parents=True, exist_ok=True)
    constants: dict[str, Any] = {"nought": np.float32(0)}
    nodes = [helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0),
             helper.make_node("Mul", ["mean", "nought"], ["nothing"])]  # fmt: skip
    outputs = []
    for part, wide in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            side = size // stride
            grid = np.zeros((1, side, side, wide), np.float32)
            for x, y, w, h in faces if stride == 32 else ():
                row, column = (y + h // 2) // stride, (x + w // 2) // stride
                box = (x + w / 2) / stride - column, (y + h / 2) / stride - row, np.log(w / stride), np.log(h / stride)
                grid[0, row, column] = {"cls": 1, "obj": 1, "bbox": box, "kps": 0}[part]
            name = f"{part}_{stride}"
            constants[f"{name}_grid"] = grid.reshape(1, -1, wide)
            nodes.append(helper.make_node("Add", [f"{name}_grid", "nothing"], [name]))
            outputs.append((name, TensorProto.FLOAT, [1, side * side, wide]))
    return _written(path, nodes, [("input", TensorProto.FLOAT, [1, 3, size, size])], outputs, constants)
