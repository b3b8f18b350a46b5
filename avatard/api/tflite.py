"""A stranger's TFLite file, looked at before a wake word library opens it: that one would crash over it.

pymicro-wakeword and pyopen-wakeword bring TensorFlow Lite and never look at whether it could read the file.
Source of the calls: tensorflow/lite/c/c_api.h.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLOAT32 = 1
"""tensorflow/lite/c/c_api_types.h: TfLiteType"""


@dataclass(frozen=True, slots=True)
class Port:
    """What a network takes, or gives."""

    shape: tuple[int, ...]
    kind: int
    """TfLiteType"""


def examine(library: Any, path: Path) -> tuple[Port, Port]:
    """Run a network once; return its first input and its first output.

    Args:
        library: TensorFlow Lite's, as ctypes loaded it, with the types of its functions.
        path: the network.

    Raises:
        ValueError: the file is none that can run; says why.
    """
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    with ExitStack() as made:
        def kept(handle: Any, delete: Callable[[Any], Any]) -> Any:
            if not handle:
                raise ValueError(f"{path}: no TFLite model, or cut short")
            made.callback(delete, handle)
            return handle

        model = kept(library.TfLiteModelCreateFromFile(str(path).encode()), library.TfLiteModelDelete)
        network = kept(library.TfLiteInterpreterCreate(model, None), library.TfLiteInterpreterDelete)
        if library.TfLiteInterpreterAllocateTensors(network) or library.TfLiteInterpreterInvoke(network):
            raise ValueError(f"{path}: a TFLite model that does not run")
        return (_port(library, library.TfLiteInterpreterGetInputTensor(network, 0)),
                _port(library, library.TfLiteInterpreterGetOutputTensor(network, 0)))  # fmt: skip


def _port(library: Any, tensor: Any) -> Port:
    many = library.TfLiteTensorNumDims(tensor)
    return Port(tuple(library.TfLiteTensorDim(tensor, n) for n in range(many)), library.TfLiteTensorType(tensor))
