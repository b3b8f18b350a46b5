"""A user's file: read, looked at for damage, and made float32 where it is float16."""

from __future__ import annotations

from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.errors import ConfigError


def files(path: Path) -> list[Path]:
    """The file, and those beside it that begin with its name: large exports keep their weights there."""
    beside = path.parent.glob(f"{escape(path.name)}?*")
    return [path, *sorted(other for other in beside if other.is_file())]


def read(path: Path) -> Any:
    """Read a file.

    Raises:
        ConfigError: it is no ONNX network.
    """
    import onnx

    try:
        model = onnx.load(path, load_external_data=True)
        onnx.checker.check_model(model)
    except Exception as err:  # protobuf, the checker and the file system each raise their own
        reason = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
        raise ConfigError(
            f"wav2lip: {path}: not an ONNX network, or cut short: {reason}; download or export it again"
        ) from err
    return model


def check_weights(model: Any, where: str) -> None:
    """Look for numbers that are none.

    Raises:
        ConfigError: names the weights.
    """
    from onnx import numpy_helper

    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ConfigError(f"wav2lip: {where}: weights {weights.name} are not numbers; download or export it again")


def as_float32(model: Any) -> None:
    """Make a float16 network one of float32."""
    from onnx import TensorProto, numpy_helper

    def wide(tensor: Any) -> None:
        if tensor.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    for weights in model.graph.initializer:
        wide(weights)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                wide(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
