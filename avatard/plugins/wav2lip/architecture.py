"""A network of Wav2Lip's shape with random weights: what benches and tests use where nobody has given a model.

The layers are those that the paper's authors describe (Prajwal et al. 2020, "A Lip Sync Expert Is All You Need"): an
encoder for 16 columns of mel, one for the face with a feature map at each size, and a decoder that starts from the
sound and is joined by the face's maps on its way up. Each convolution is followed by a normalisation, which a trained
network has folded into its weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MEL_BANDS, MEL_COLUMNS = 80, 16

SOUND = (
    # channels out, kernel, stride down and along, padding, residual layers after it
    (32, 3, (1, 1), 1, 2),
    (64, 3, (3, 1), 1, 2),
    (128, 3, (3, 3), 1, 2),
    (256, 3, (3, 2), 1, 1),
    (512, 3, (1, 1), 0, 0),
    (512, 1, (1, 1), 0, 0),
)
"""The encoder of the sound: 80 x 16 to 512 numbers."""

FACE = ((512, 1), (256, 2), (128, 2), (64, 3), (32, 2), (16, 0))
"""Channels and residual layers of the face's encoder, from its smallest map to its largest."""

MOUTH = ((512, 1), (512, 2), (384, 2), (256, 2), (128, 2), (64, 2))
"""Channels and residual layers of the decoder, from the smallest map to the largest."""


@dataclass(frozen=True)
class Variant:
    """Which network."""

    size: int = 96
    """Pixels a side: 96, 256, or another power of two times 3 or 4."""
    width: float = 1.0
    """Share of the channels; 1 is the true network, less makes a small one for tests."""
    batch: int | None = None
    """A fixed batch; None leaves it open."""
    half: bool = False
    """float16 weights, inputs and output"""
    normalised: bool = False
    """Leave a BatchNormalization after each convolution instead of folding it."""
    names: tuple[str, str, str] = ("mel_spectrogram", "video_frames", "predicted_frames")
    """Of the two inputs and the output."""
    seed: int = 1


@dataclass
class _Plan:
    """The graph while it grows."""

    variant: Variant
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.variant.seed)

    def channels(self, count: int) -> int:
        return max(2, round(count * self.variant.width))

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def weight(self, array: Any) -> str:
        from onnx import numpy_helper

        name = f"w{len(self.weights)}"
        self.weights.append(
            numpy_helper.from_array(array.astype(np.float16 if self.variant.half else np.float32), name)
        )
        return name

    def conv(
        self, x: str, cin: int, cout: int, kernel: int, stride: tuple[int, int] = (1, 1), pad: int = 0, *,
        residual: bool = False, up: bool = False, gain: float = 1.0, bare: bool = False,
    ) -> str:  # fmt: skip
        """Add a convolution, or with ``up`` its transpose; then, unless ``bare``, what follows each of them."""
        taps = kernel * kernel / (stride[0] * stride[1] if up else 1)
        spread = gain * np.sqrt(2 / (cin * taps))
        shape = (cin, cout, kernel, kernel) if up else (cout, cin, kernel, kernel)
        weights = self.weight(self.random.normal(0, spread, shape))
        bias = self.weight(self.random.normal(0, 0.05, cout))
        more = {"output_padding": [s - 1 for s in stride]} if up else {}
        y = self.add("ConvTranspose" if up else "Conv", x, weights, bias, kernel_shape=[kernel] * 2,
                     strides=list(stride), pads=[pad] * 4, **more)  # fmt: skip
        if bare:
            return y
        if self.variant.normalised:
            scale = (self.random.uniform(0.8, 1.2, cout), *self.random.normal(0, 0.1, (2, cout)), np.ones(cout))
            y = self.add("BatchNormalization", y, *map(self.weight, scale))
        return self.add("Relu", self.add("Add", y, x) if residual else y)

    def residuals(self, x: str, channels: int, count: int) -> str:
        for _ in range(count):
            x = self.conv(x, channels, channels, 3, pad=1, residual=True, gain=0.5)
        return x


def build(variant: Variant = Variant()) -> Any:
    """Return the network as an ``onnx.ModelProto``."""
    from onnx import TensorProto, helper

    plan = _Plan(variant)
    mel, face, out = variant.names
    sound = _sound(plan, mel)
    maps = list(_face(plan, face))
    x = _mouth(plan, sound, maps)
    plan.nodes.append(helper.make_node("Sigmoid", [x], [out]))
    kind = TensorProto.FLOAT16 if variant.half else TensorProto.FLOAT
    batch = variant.batch or "batch"
    size = variant.size
    graph = helper.make_graph(
        plan.nodes, "mouth",
        [helper.make_tensor_value_info(mel, kind, [batch, 1, MEL_BANDS, MEL_COLUMNS]),
         helper.make_tensor_value_info(face, kind, [batch, 6, size, size])],
        [helper.make_tensor_value_info(out, kind, [batch, 3, size, size])], plan.weights,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="avatard")


def write(path: Path, variant: Variant = Variant()) -> Path:
    """Write the network to a file, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_bytes(build(variant).SerializeToString())
    return part.replace(path)


def _sound(plan: _Plan, x: str) -> str:
    last = 1
    for count, kernel, stride, pad, residuals in SOUND:
        channels = plan.channels(count)
        x = plan.residuals(plan.conv(x, last, channels, kernel, stride, pad), channels, residuals)
        last = channels
    return x


def _sizes(size: int) -> list[int]:
    """The sides of the feature maps, the smallest first: 3, 6, 12, 24, 48, 96."""
    sizes = [size]
    while sizes[0] > 4:
        sizes.insert(0, sizes[0] // 2)
    return sizes


def _rows(table: tuple[tuple[int, int], ...], count: int) -> tuple[tuple[int, int], ...]:
    """A row for each size; larger pictures than the table's repeat its last one."""
    return (*table, *(table[-1:] * (count - len(table))))[:count]


def _face(plan: _Plan, x: str) -> Iterator[tuple[str, int]]:
    """Yield (feature map, channels), the largest map first, down to 1 x 1."""
    sizes = _sizes(plan.variant.size)
    last = 6
    for index, (count, residuals) in enumerate(reversed(_rows(FACE, len(sizes)))):
        channels = plan.channels(count)
        first = plan.conv(x, last, channels, 3, (2, 2), 1) if index else plan.conv(x, last, channels, 7, pad=3)
        x = plan.residuals(first, channels, residuals)
        last = channels
        yield x, channels
    yield plan.conv(plan.conv(x, last, last, sizes[0]), last, last, 1), last


def _mouth(plan: _Plan, x: str, maps: list[tuple[str, int]]) -> str:
    """Decode the sound on the face's maps up to the picture before its sigmoid."""
    last = plan.channels(512)
    x = plan.conv(x, last, last, 1)
    feature, more = maps.pop()
    x, last = plan.add("Concat", x, feature, axis=1), last + more
    sizes = _sizes(plan.variant.size)
    for index, (count, residuals) in enumerate(_rows(MOUTH, len(sizes))):
        channels = plan.channels(count)
        if index:
            x = plan.conv(x, last, channels, 3, (2, 2), 1, up=True)
        else:
            x = plan.conv(x, last, channels, sizes[0], up=True)
        x = plan.residuals(x, channels, residuals)
        feature, more = maps.pop()
        x, last = plan.add("Concat", x, feature, axis=1), channels + more
    x = plan.conv(x, last, plan.channels(32), 3, pad=1)
    return plan.conv(x, plan.channels(32), 3, 1, bare=True, gain=0.25)
