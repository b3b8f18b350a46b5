"""Taking the graph apart: what depends on the face alone is computed once for each picture of the avatar.

Where the decoder joins the two sides, ``conv(concat(x, f)) = conv(x) + conv(f)``: the face's half of the convolution
leaves the decoder too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .binding import Binding
from .graph import Array, Graph, attributes

CHANNELS = {"Conv": 1, "ConvTranspose": 0}
"""The axis of a convolution's weights along which its input's channels lie."""


class Resists(ValueError):
    """The graph cannot be taken apart; says why."""


@dataclass(frozen=True)
class Cut:
    """Where the graph falls apart."""

    mel: tuple[str, ...]
    """Tensors that depend on the sound alone and are needed by what depends on both."""
    face: tuple[str, ...]


def fold_normalisation(graph: Graph) -> None:
    """Put each BatchNormalization that follows a convolution into its weights."""
    for norm in [n for n in graph.nodes if n.op_type == "BatchNormalization"]:
        made = [n for n in graph.nodes if norm.input[0] in n.output]
        values = [graph.weights.get(name) for name in norm.input[1:5]]
        if not made or made[0].op_type not in CHANNELS or len(graph.users(norm.input[0])) != 1:
            continue
        conv = made[0]
        group = attributes(conv).get("group", 1)
        if any(v is None for v in values) or conv.input[1] not in graph.weights or group != 1:
            continue
        scale, shift, mean, variance = (np.asarray(v, np.float64) for v in values)
        factor = scale / np.sqrt(variance + attributes(norm).get("epsilon", 1e-5))
        weights = graph.weights[conv.input[1]]
        bias = graph.weights[conv.input[2]] if len(conv.input) > 2 else np.zeros(len(scale))
        axis = 1 - CHANNELS[conv.op_type]
        along = [1] * weights.ndim
        along[axis] = -1
        name = conv.output[0]
        graph.weights[f"{name}/w"] = (weights * factor.reshape(along)).astype(weights.dtype)
        graph.weights[f"{name}/b"] = ((bias - mean) * factor + shift).astype(weights.dtype)
        data = conv.input[0]
        del conv.input[:]
        conv.input.extend([data, f"{name}/w", f"{name}/b"])
        conv.output[0] = norm.output[0]
        graph.nodes.remove(norm)


def split_convolutions(graph: Graph, binding: Binding) -> int:
    """Part each convolution over channels of which some are the face's alone; return how many were."""
    depends = graph.dependence((binding.mel, binding.face))
    face = frozenset([binding.face])
    count = 0
    for concat in [n for n in graph.nodes if n.op_type == "Concat" and attributes(n).get("axis") in (1, -3)]:
        sides = [depends.get(name, frozenset()) == face for name in concat.input]
        users = graph.users(concat.output[0])
        if all(sides) or not any(sides) or not users or not all(_linear(n, concat.output[0], graph) for n in users):
            continue
        for conv in users:
            _part(graph, concat, conv, sides)
            count += 1
        graph.nodes.remove(concat)
    return count


def cut(graph: Graph, binding: Binding) -> Cut:
    """Find the tensors of one side that are read by nodes of both.

    Raises:
        Resists: the two sides never meet, or one of them is nothing.
    """
    depends = graph.dependence((binding.mel, binding.face))
    both = frozenset([binding.mel, binding.face])
    if depends.get(binding.picture) != both:
        raise Resists("its picture does not depend on both inputs")
    found: dict[frozenset[str], list[str]] = {}
    for node in graph.nodes:
        if depends[node.output[0]] != both:
            continue
        for name in node.input:
            side = depends.get(name, frozenset())
            if len(side) == 1 and name not in found.setdefault(side, []):
                found[side].append(name)
    mel, face = (tuple(found.get(frozenset([n]), ())) for n in (binding.mel, binding.face))
    if not mel or not face or binding.mel in mel or binding.face in face:
        raise Resists("its two inputs meet before anything was computed from the face alone")
    return Cut(mel, face)


def _linear(node: Any, data: str, graph: Graph) -> bool:
    """Whether a node is a convolution of this tensor with known weights."""
    return (
        node.op_type in CHANNELS and node.input[0] == data and list(node.input).count(data) == 1
        and node.input[1] in graph.weights and attributes(node).get("group", 1) == 1
    )  # fmt: skip


def _part(graph: Graph, concat: Any, conv: Any, sides: list[bool]) -> None:
    """Put two convolutions and a sum in a convolution's place."""
    from onnx import helper

    out = conv.output[0]
    starts = np.cumsum([0, *(graph.shapes[name][1] for name in concat.input)])
    weights = graph.weights[conv.input[1]]
    nodes, halves = [], []
    for side in (False, True):
        mine = [i for i, is_face in enumerate(sides) if is_face == side]
        names = [concat.input[i] for i in mine]
        label = f"{out}/{'face' if side else 'rest'}"
        data = names[0]
        if len(names) > 1:
            data = f"{label}/in"
            nodes.append(helper.make_node("Concat", names, [data], axis=1))
            _, _, *size = graph.shapes[names[0]]
            graph.shapes[data] = (1, sum(graph.shapes[n][1] for n in names), *size)
        channels = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in mine])
        taken: Array = np.take(weights, channels, axis=CHANNELS[conv.op_type])
        graph.weights[f"{label}/w"] = taken
        half = type(conv).FromString(conv.SerializeToString())
        half.name = label
        del half.input[:]
        half.input.extend([data, f"{label}/w", *([] if side else conv.input[2:])])
        half.output[0] = label
        graph.shapes[label] = graph.shapes[out]
        nodes.append(half)
        halves.append(label)
    at = graph.nodes.index(conv)
    graph.nodes[at : at + 1] = [*nodes, helper.make_node("Add", halves, [out])]
