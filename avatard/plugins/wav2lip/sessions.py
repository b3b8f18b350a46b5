"""Runs the parts, or the whole graph, in onnxruntime: mel windows and faces in, lower halves of pictures out.

Nothing here needs more than numpy and onnxruntime, so that another interpreter can run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .parts import Part, Parts

Array = NDArray[Any]
Features = dict[str, Array]
"""What is kept of a face: a tensor by its name, of one picture."""


@dataclass(frozen=True)
class Ways:
    """How onnxruntime is to run."""

    threads: int = 1
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    options: tuple[dict[str, str], ...] = ({},)
    """Of each provider."""


class Network(Protocol):
    """A network that is ready."""

    def look(self, face: Array) -> Features:
        """Compute what depends on a face alone; shape (1, 6, H, W)."""

    def draw(self, mel: Array, faces: Sequence[Features]) -> Array:
        """Draw the lower half for each mel window; shape (n, 3, H/2, W), 0-1."""


def open_parts(parts: Parts, sources: dict[str, Any], ways: Ways = Ways()) -> Network:
    """Open every part; a source is a path or the bytes of a model."""
    sessions = {name: session(source, ways) for name, source in sources.items()}
    return WholeNetwork(parts, sessions["whole"]) if "whole" in sessions else SplitNetwork(parts, sessions)


def session(source: str | bytes, ways: Ways) -> Any:
    """Open one model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = ways.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # The batch changes: an arena would keep the largest of each, a pattern would be planned again each time.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # A waiting thread that spins burns a third more of the CPU for the same time on the clock.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        source, options, providers=list(ways.providers), provider_options=[dict(o) for o in ways.options]
    )


class WholeNetwork:
    """The graph as it is; both inputs are fed each time."""

    def __init__(self, parts: Parts, opened: Any) -> None:
        """Use an open session."""
        self._parts, self._session = parts, opened

    def look(self, face: Array) -> Features:
        """Keep the face itself."""
        return {self._parts.face: np.asarray(face, self._parts.kind)}

    def draw(self, mel: Array, faces: Sequence[Features]) -> Array:
        """Run the graph."""
        name = self._parts.face
        fed = {self._parts.mel: np.asarray(mel, self._parts.kind), name: np.concatenate([f[name] for f in faces])}
        out: Array = run(self._session, fed, [self._parts.picture], self._parts.batch)[0]
        return out[:, :, self._parts.lower :].astype(np.float32)


class SplitNetwork:
    """The face's part once for each picture of the avatar, the others for each picture that is shown."""

    def __init__(self, parts: Parts, opened: dict[str, Any]) -> None:
        """Use open sessions."""
        self._parts, self._sessions = parts, opened

    def look(self, face: Array) -> Features:
        """Run the face's part; keep the rows that are needed."""
        found = self._run("face", {self._parts.face: np.asarray(face, np.float32)})
        starts = self._parts.parts["face"].outputs
        return {name: np.ascontiguousarray(value[:, :, starts[name] :]) if starts[name] else value
                for name, value in found.items()}  # fmt: skip

    def fed(self, mel: Array, faces: Sequence[Features]) -> dict[str, Array]:
        """Run the sound's part and return what the joint one is fed."""
        fed = self._run("sound", {self._parts.mel: np.ascontiguousarray(mel, np.float32)})
        for name, start in self._parts.parts["sound"].outputs.items():
            fed[name] = fed[name][:, :, start:] if start else fed[name]
        for name in self._parts.parts["face"].outputs:
            fed[name] = faces[0][name] if len(faces) == 1 else np.concatenate([face[name] for face in faces])
        return fed

    def draw(self, mel: Array, faces: Sequence[Features]) -> Array:
        """Run the sound's part and the joint one."""
        picture = self._parts.picture
        start = self._parts.parts["joint"].outputs[picture]
        return self._run("joint", self.fed(mel, faces))[picture][:, :, self._parts.lower - start :]

    def _run(self, name: str, fed: dict[str, Array]) -> dict[str, Array]:
        part: Part = self._parts.parts[name]
        return dict(
            zip(part.outputs, run(self._sessions[name], fed, list(part.outputs), self._parts.batch), strict=True)
        )


def run(opened: Any, fed: dict[str, Array], outputs: list[str], batch: int | None) -> list[Array]:
    """Run a session; with a fixed batch as often as it takes, the last one filled up."""
    count = len(next(iter(fed.values())))
    if batch is None or batch == count:
        return list(opened.run(outputs, fed))
    found: list[list[Array]] = []
    for start in range(0, count, batch):
        lot = {name: value[start : start + batch] for name, value in fed.items()}
        lacking = batch - len(next(iter(lot.values())))
        if lacking:
            lot = {name: np.concatenate([v, np.repeat(v[-1:], lacking, 0)]) for name, v in lot.items()}
        found.append([value[: count - start] for value in opened.run(outputs, lot)])
    return [np.concatenate(values) for values in zip(*found, strict=True)]
