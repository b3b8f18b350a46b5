"""The joint part in eight bits: about half the time, and a picture that is nearly the same.

Each convolution's input and output are rounded to 256 steps over the range that they have while the network draws the
avatar's own faces to a made-up voice; each channel's weights to 7 bits, because the eighth overflows on processors
whose instructions add two products in 16 bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avatard.api.flow import LISTEN_RATE
from avatard.face.mel import mel, windows

from .engine import masked
from .graph import Array, attributes
from .parts import Parts, kept, sources, under_way, write
from .sessions import SplitNetwork, Ways, open_parts, run, session
from .split import Resists

OPSET = 13
"""The first in which each channel has a scale of its own."""
FINE = 4
"""Convolutions to so few channels make the picture itself: they stay as they are."""
WEIGHT_STEPS = 63
STEPS = 255
NEAR = 0.03
"""How far the picture may be on average, of 1; what is measured is near 0.01 even without training."""
SECONDS, WINDOWS = 3.0, 12
"""Of the made-up voice, and how many of its windows are drawn to find the ranges."""


def in_int8(folder: Path, parts: Parts, looks: Sequence[Array], into: Path) -> Iterator[str]:
    """Keep the same parts with the joint one in eight bits; yield what is being done.

    Args:
        folder: of the parts.
        parts: their description.
        looks: pictures of the avatar's face, (side, side, 3) uint8.
        into: where they are kept.

    Raises:
        Resists: it is not in parts, or the picture would be another.
        OSError: they cannot be kept.
    """
    if kept(into) is not None:
        return
    if parts.resists:
        raise Resists(parts.resists)
    import onnx

    files = sources(folder, parts)
    network = open_parts(parts, files)
    assert isinstance(network, SplitNetwork)
    plain = onnx.load(files["joint"])
    ranges = Ranges(plain)
    lots = []
    for number, look in enumerate(looks):
        yield f"eight bits: looking at the values for face {number + 1} of {len(looks)}"
        lots.append(_fed(network, parts, look))
        ranges.see(lots[-1][::2])
    yield "eight bits: rounding"
    model = quantised(plain, ranges.found)
    pair = session(model.SerializeToString(), Ways()), session(files["joint"], Ways())
    for lot in lots:
        yield "eight bits: comparing the picture"
        for fed in lot[1::2]:
            drawn, wanted = (run(one, fed, [parts.picture], parts.batch)[0] for one in pair)
            off = float(np.abs(drawn - wanted).mean())
            if not off <= NEAR:
                raise Resists(f"in eight bits its picture is another (by {off:.2g})")
    yield "eight bits: keeping it"
    models = {name: model if name == "joint" else onnx.load(source) for name, source in files.items()}
    with under_way(into) as made:
        write(made, parts, models)


class Ranges:
    """The least and the largest value of each tensor around a convolution."""

    def __init__(self, model: Any) -> None:
        """Open the model so that its inner tensors can be seen."""
        from onnx import TensorProto, helper

        self.found: dict[str, tuple[float, float]] = {}
        names = dict.fromkeys(name for conv in _convolutions(model) for name in (conv.input[0], conv.output[0]))
        fed = {port.name for port in model.graph.input}
        self._fed, self._inner = [n for n in names if n in fed], [n for n in names if n not in fed]
        watched = type(model).FromString(model.SerializeToString())
        del watched.graph.output[:]
        watched.graph.output.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in self._inner)
        self._session = session(watched.SerializeToString(), Ways())

    def see(self, feeds: Sequence[dict[str, Array]]) -> None:
        """Widen the ranges by what the model computes of these."""
        for feed in feeds:
            seen = dict(zip(self._inner, self._session.run(self._inner, feed), strict=True))
            for name, value in (seen | {n: feed[n] for n in self._fed}).items():
                low, high = self.found.get(name, (0.0, 0.0))
                self.found[name] = min(low, float(value.min())), max(high, float(value.max()))


def quantised(model: Any, ranges: dict[str, tuple[float, float]]) -> Any:
    """Return the model with its convolutions in eight bits, over the ranges of their inputs and outputs."""
    from onnx import numpy_helper

    convolutions = {conv.output[0] for conv in _convolutions(model)}
    work = _Rounding({w.name: numpy_helper.to_array(w) for w in model.graph.initializer})
    for node in model.graph.node:
        if node.output[0] in convolutions:
            work.round(node, ranges)
        else:
            work.nodes.append(node)
    used = {name for node in work.nodes for name in node.input}
    out = type(model)()
    out.CopyFrom(model)
    del out.graph.node[:]
    del out.graph.initializer[:]
    out.graph.node.extend(work.nodes)
    out.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(w), name) for name, w in work.weights.items() if name in used
    )
    for entry in out.opset_import:
        if entry.domain == "":
            entry.version = max(OPSET, entry.version)
    return out


class _Rounding:
    """The nodes and weights of the rounded graph while it grows."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self.nodes: list[Any] = []
        self.weights = dict(weights)
        self._rounded: set[str] = set()

    def round(self, conv: Any, ranges: dict[str, tuple[float, float]]) -> None:
        """Add a convolution with what rounds its input, its weights and its output."""
        from onnx import helper

        data, out, name = conv.input[0], conv.output[0], conv.output[0]
        scale = self._steps(data, ranges[data])
        if data not in self._rounded:
            self._rounded.add(data)
            self._there_and_back(data, data, f"{data}/int8")
        kernel = self.weights[conv.input[1]]
        each = np.abs(kernel).reshape(len(kernel), -1).max(1) / WEIGHT_STEPS
        each = np.where(each > 0, each, 1.0).astype(np.float32)
        steps = np.round(kernel / each.reshape(-1, *[1] * (kernel.ndim - 1))).astype(np.int8)
        given = [f"{data}/int8", self._known(f"{name}/int8/w", steps, each)]
        if len(conv.input) > 2:
            both = (each.astype(np.float64) * scale).astype(np.float32)
            limit = 2**31 - 1
            bias = np.clip(np.round(self.weights[conv.input[2]] / both.astype(np.float64)), -limit, limit)
            given.append(self._known(f"{name}/int8/b", bias.astype(np.int32), both))
        self.nodes.append(helper.make_node("Conv", given, [f"{name}/exact"], **attributes(conv)))
        self._steps(f"{name}/exact", ranges[out])
        self._there_and_back(f"{name}/exact", f"{name}/exact", out)

    def _steps(self, name: str, span: tuple[float, float]) -> float:
        """Lay 256 steps over a range that has 0 among them; return their size."""
        low, high = min(0.0, span[0]), max(0.0, span[1])
        scale = (high - low) / STEPS or 1.0
        self.weights[f"{name}/scale"] = np.array(scale, np.float32)
        self.weights[f"{name}/zero"] = np.array(round(-low / scale), np.uint8)
        return scale

    def _there_and_back(self, label: str, data: str, out: str) -> None:
        from onnx import helper

        how = [f"{label}/scale", f"{label}/zero"]
        self.nodes.append(helper.make_node("QuantizeLinear", [data, *how], [f"{label}/steps"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{label}/steps", *how], [out]))

    def _known(self, label: str, steps: Array, each: Array) -> str:
        """Add weights in steps, with the size of each channel's."""
        from onnx import helper

        self.weights[f"{label}/steps"], self.weights[f"{label}/scale"] = steps, each
        self.weights[f"{label}/zero"] = np.zeros(len(each), steps.dtype)
        names = [f"{label}/steps", f"{label}/scale", f"{label}/zero"]
        self.nodes.append(helper.make_node("DequantizeLinear", names, [label], axis=0))
        return label


def _convolutions(model: Any) -> list[Any]:
    """Those that are rounded."""
    channels = {w.name: w.dims[0] for w in model.graph.initializer}
    return [
        node for node in model.graph.node
        if node.op_type == "Conv" and all(n in channels for n in node.input[1:]) and channels[node.input[1]] > FINE
    ]  # fmt: skip


def _fed(network: SplitNetwork, parts: Parts, look: Array) -> list[dict[str, Array]]:
    """What the joint part is fed while a face speaks."""
    rows = np.arange(parts.height) * look.shape[0] // parts.height
    columns = np.arange(parts.width) * look.shape[1] // parts.width
    features = network.look(masked(np.ascontiguousarray(look[rows][:, columns]).tobytes(), parts.height, parts.width))
    heard = windows(mel(voice(SECONDS)))
    chosen = heard[np.linspace(0, len(heard) - 1, WINDOWS).astype(int)]
    count = parts.batch or 1
    return [network.fed(np.repeat(window[None, None], count, 0), [features] * count) for window in chosen]


def voice(seconds: float) -> Array:
    """Vowels that wander, hisses and pauses at 16 kHz, in [-1, 1]."""
    t = np.arange(int(seconds * LISTEN_RATE)) / LISTEN_RATE
    phase = 2 * np.pi * np.cumsum(150 + 50 * np.sin(2.5 * t)) / LISTEN_RATE
    first, second = 550 + 350 * np.sin(9 * t), 1500 + 800 * np.sin(13 * t + 1)
    tone = np.zeros(len(t))
    for k in range(1, 30):
        hertz = k * 150
        tone += np.sin(k * phase) * (np.exp(-(((hertz - first) / 200) ** 2)) + np.exp(-(((hertz - second) / 300) ** 2)))
    hiss = np.random.default_rng(5).normal(0, 0.3, len(t)) * (np.sin(7 * t) > 0.8)
    loud = np.clip(1.5 * np.sin(5 * t) + 0.6, 0, 1)
    sound = tone * loud + hiss
    return np.asarray(0.5 * sound / np.abs(sound).max())
