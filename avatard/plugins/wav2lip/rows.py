"""Only the lower half of the picture is shown: which rows of each tensor that takes, and a graph that makes no others.

Going back from the picture's lower half, each convolution asks for the rows that its kernel reaches. Tensors that
share their rows (a residual sum, a convolution that keeps the size) are all kept from the same row, so that nothing
has to be cut in between. The rows above those that were asked for then hold values that nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Any

from .graph import POINTWISE, Graph, attributes, per_picture, set_ints

ROUNDS = 20
"""More than any graph needs until nothing changes."""


class Rows:
    """The first row to keep of each tensor of the joint part."""

    def __init__(self, graph: Graph, nodes: list[Any], picture: str, first: int) -> None:
        """Find them.

        Args:
            graph: whose shapes and weights count.
            nodes: the joint part, in order.
            picture: its output.
            first: the first row of the picture that is shown.
        """
        self._graph, self._nodes, self._picture, self._first = graph, nodes, picture, first
        self._together: dict[str, str] = {}
        for node in nodes:
            if self._keeps(node):
                for name in self._tensors(node):
                    self._together[self._group(name)] = self._group(node.output[0])
        self._start: dict[str, int] = {}
        for _ in range(ROUNDS):
            before = dict(self._start)
            self._look()
            if self._start == before:
                return
        self._start = {}

    def start(self, name: str) -> int:
        """The first row that is kept of a tensor."""
        return self._start.get(self._group(name), 0)

    def apply(self) -> None:
        """Change the nodes so that the tensors begin there; what is fed must begin there too."""
        from onnx import helper

        for node in list(self._nodes):
            if node.op_type == "ConvTranspose" and self._reach(node) is not None:
                top, left, bottom, right = attributes(node).get("pads", [0] * 4)
                stride = attributes(node).get("strides", [1, 1])[0]
                top += self.start(node.output[0]) - self.start(node.input[0]) * stride
                set_ints(node, "pads", (top, left, bottom, right))
            elif not self._keeps(node) and (start := self.start(node.output[0])):
                whole = f"{node.output[0]}/whole"
                ends = (f"{whole}/from", f"{whole}/to", f"{whole}/axis")
                for label, value in zip(ends, (start, 1 << 30, 2), strict=True):
                    self._graph.weights[label] = _int64(value)
                cropped = helper.make_node("Slice", [whole, *ends], [node.output[0]])
                node.output[0] = whole
                self._graph.nodes.insert(self._graph.nodes.index(node) + 1, cropped)

    def _look(self) -> None:
        """Go once from the picture back to what is fed."""
        need = {self._picture: self._first}
        start: dict[str, int] = {}

        def ask(name: str, row: int) -> None:
            need[name] = min(need.get(name, 1 << 30), max(0, row))
            group = self._group(name)
            start[group] = min(start.get(group, 1 << 30), need[name])

        ask(self._picture, self._first)
        for node in reversed(self._nodes):
            row = min((need[name] for name in node.output if name in need), default=None)
            if row is None:
                continue
            if self._keeps(node):
                reach = attributes(node).get("pads", [0] * 4)[0] if node.op_type == "Conv" else 0
                for name in self._tensors(node):
                    ask(name, row - reach)
            elif (reach_of := self._reach(node)) is not None:
                pad, span, stride = reach_of
                # The second: padding can only take away rows of what a transposed convolution makes, never add any.
                kept = self._start.get(self._group(node.output[0]), 0)
                ask(node.input[0], min(ceil((row + pad - span) / stride), (kept + pad) // stride))
            else:
                for name in self._tensors(node):
                    ask(name, 0)
        self._start = start

    def _group(self, name: str) -> str:
        while (other := self._together.get(name, name)) != name:
            name = other
        return name

    def _tensors(self, node: Any) -> Iterable[str]:
        read = node.input[:1] if node.op_type == "Conv" else node.input
        return [name for name in read if name in self._graph.shapes and name not in self._graph.weights]

    def _height(self, name: str) -> int | None:
        shape = self._graph.shapes[name]
        return shape[2] if len(shape) == 4 else None

    def _keeps(self, node: Any) -> bool:
        """Whether row y of what comes out needs only rows around y of what goes in, of the same height."""
        if node.op_type not in POINTWISE | {"Conv", "Concat"} or not per_picture(node):
            return False
        height = self._height(node.output[0])
        if height is None or any(self._height(name) != height for name in self._tensors(node)):
            return False
        if node.op_type != "Conv":
            flat = (self._graph.weights[n].shape for n in node.input if n in self._graph.weights)
            return all(len(shape) < 3 or shape[-2] == 1 for shape in flat)
        given = attributes(node)
        return bool(given.get("auto_pad", b"NOTSET") == b"NOTSET" and given.get("strides", [1, 1])[0] == 1)

    def _reach(self, node: Any) -> tuple[int, int, int] | None:
        """A transposed convolution's upper padding, the rows that its kernel spans below its first, and its stride."""
        given = attributes(node)
        if node.op_type != "ConvTranspose" or given.get("auto_pad", b"NOTSET") != b"NOTSET" or "output_shape" in given:
            return None
        if "kernel_shape" in given:
            rows = given["kernel_shape"][0]
        elif node.input[1] in self._graph.weights:
            rows = self._graph.weights[node.input[1]].shape[2]
        else:
            return None
        span = (rows - 1) * given.get("dilations", [1, 1])[0]
        return given.get("pads", [0] * 4)[0], span, given.get("strides", [1, 1])[0]


def _int64(value: int) -> Any:
    import numpy as np

    return np.array([value], np.int64)
