"""Small Wav2Lip networks and a face to show, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from avatard.api.flow import Pixels
from avatard.face.bundle import save
from avatard.face.landmarks import LID_POINTS, LIP_POINTS, OVAL_POINTS, Landmarks
from avatard.plugins.wav2lip.architecture import Variant, write

TINY = 1 / 32
"""Share of the true network's channels."""


def tiny(folder: Path, name: str = "tiny.onnx", **changes: Any) -> Path:
    """A file with a network that runs in a few milliseconds."""
    return write(folder / name, Variant(**{"width": TINY, **changes}))


def changed(path: Path, change: Callable[[Any], None]) -> Path:
    """The file with its graph changed."""
    model = onnx.load(path)
    change(model.graph)
    path.write_bytes(model.SerializeToString())
    return path


def meet(graph: Any) -> None:
    """Let the face depend on the sound before anything is computed from it."""
    mel, face = (port.name for port in graph.input)
    for node in graph.node:
        node.input[:] = ["shaken" if name == face else name for name in node.input]
    graph.node.insert(0, helper.make_node("ReduceMean", [mel], ["level"], axes=[1, 2, 3]))
    graph.node.insert(1, helper.make_node("Add", [face, "level"], ["shaken"]))


def head(number: int = 0) -> Pixels:
    """A smooth picture in which a face could be."""
    y, x = np.mgrid[:128, :128].astype(np.float32)
    waves = [128 + 90 * np.sin(x / 31 + k + 0.4 * number) * np.cos(y / (23 + 5 * k)) for k in range(3)]
    return np.stack(waves, -1).astype(np.uint8)


def bundle(folder: Path, frames: int = 1) -> Path:
    """A face bundle."""
    path = folder / f"head{frames}.face"
    marks = Landmarks(
        lips=np.zeros((4, LIP_POINTS, 2), np.float32), eyes=np.zeros((2, 2, LID_POINTS, 2), np.float32),
        oval=np.zeros((OVAL_POINTS, 2), np.float32),
    )  # fmt: skip
    save(path, [head(n) for n in range(frames)], [(30, 20, 70, 90)] * frames, [marks] * frames)
    return path
