"""A network's graph while it is taken apart: nodes, weights, shapes, and what each tensor depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]

POINTWISE = frozenset({
    "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Softplus", "Erf",
    "Exp", "Sqrt", "Neg", "Abs", "Clip", "Add", "Sub", "Mul", "Div", "Max", "Min", "BatchNormalization", "Cast",
    "QuantizeLinear", "DequantizeLinear",
})  # fmt: skip
"""What looks at one pixel at a time."""
PER_PICTURE = POINTWISE | {"Conv", "ConvTranspose"}
"""What does not care how many pictures a batch has; so does a ``Concat`` of channels."""

SMALL = 64
"""Numbers: only weights so small can be shapes themselves."""


@dataclass
class Graph:
    """A working copy; whoever changes it keeps the nodes in an order in which they can run."""

    nodes: list[Any]
    weights: dict[str, Array]
    shapes: dict[str, Shape]
    """Of every tensor between the nodes, for a batch of one; weights are not in it."""
    opsets: dict[str, int]
    """Of the operators, by their domain."""

    @property
    def opset(self) -> int:
        """Of the standard's own operators."""
        return self.opsets.get("", 0)

    @classmethod
    def read(cls, model: Any, inputs: Mapping[str, Shape]) -> Graph:
        """Take a model in, whose weights it is emptied of; its constants become weights.

        Args:
            model: an ``onnx.ModelProto``.
            inputs: name to shape, for a batch of one.

        Raises:
            ValueError: its shapes cannot be told.
        """
        from onnx import numpy_helper, shape_inference

        weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
        inferred = shape_inference.infer_shapes(_of_one(model, inputs), data_prop=True)
        del model.graph.initializer[:]
        nodes: list[Any] = []
        same: dict[str, str] = {}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                weights[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            elif node.op_type in ("Identity", "Dropout") and node.output[0] != model.graph.output[0].name:
                same[node.output[0]] = same.get(node.input[0], node.input[0])
            else:
                nodes.append(type(node).FromString(node.SerializeToString()))
                for index, name in enumerate(node.input):
                    nodes[-1].input[index] = same.get(name, name)
        shapes: dict[str, Shape] = {}
        for value in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output):
            dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
            if all(dims) and value.name not in weights:
                shapes[value.name] = tuple(dims)
        opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
        graph = cls(nodes, weights, shapes, opsets)
        unknown = [name for node in nodes for name in node.output if name and name not in shapes]
        if unknown:
            raise ValueError(f"the shape of {unknown[0]} cannot be told")
        return graph

    def users(self, name: str) -> list[Any]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if name in node.input]

    def dependence(self, inputs: Iterable[str]) -> dict[str, frozenset[str]]:
        """For each tensor, which of the inputs it depends on."""
        known = {name: frozenset([name]) for name in inputs}
        for node in self.nodes:
            seen: frozenset[str] = frozenset().union(*(known.get(n, frozenset()) for n in node.input))
            known.update((name, seen) for name in node.output)
        return known

    def between(self, inputs: Iterable[str], outputs: Iterable[str]) -> list[Any]:
        """The nodes that make the outputs out of the inputs, in order."""
        wanted, given = set(outputs), set(inputs)
        found: list[Any] = []
        for node in reversed(self.nodes):
            if wanted & set(node.output) - given:
                found.insert(0, node)
                wanted |= {n for n in node.input if n not in self.weights}
        return found

    def model(self, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape], batch: int | None) -> Any:
        """Build the part that makes the outputs out of the inputs.

        Args:
            inputs: name to shape without the batch.
            outputs: the same.
            batch: how many pictures at once; None for any number.
        """
        from onnx import TensorProto, helper, numpy_helper

        def port(name: str, shape: Shape) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch or "batch", *shape])

        nodes = self.between(inputs, outputs)
        used = {name for node in nodes for name in node.input}
        weights = [numpy_helper.from_array(np.ascontiguousarray(w), n) for n, w in self.weights.items() if n in used]
        made = helper.make_graph(
            nodes, "part", [port(*item) for item in inputs.items()], [port(*item) for item in outputs.items()], weights
        )
        opsets = [helper.make_opsetid(*item) for item in self.opsets.items()]
        return helper.make_model(made, opset_imports=opsets, ir_version=8)


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes by name."""
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def set_ints(node: Any, name: str, values: Iterable[int]) -> None:
    """Set a list attribute."""
    from onnx import helper

    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, list(values))])


def per_picture(node: Any) -> bool:
    """Whether each picture of a batch goes through it by itself."""
    if node.op_type == "Concat":
        return bool(attributes(node).get("axis") in (1, -3))
    return node.op_type in PER_PICTURE


def _of_one(model: Any, inputs: Mapping[str, Shape]) -> Any:
    """A copy with these inputs whose other shapes are still to be told, and whose large weights are only shapes."""
    from onnx import helper

    copy = type(model)(ir_version=model.ir_version, opset_import=model.opset_import)
    copy.functions.extend(model.functions)
    copy.graph.name = model.graph.name
    copy.graph.node.extend(model.graph.node)
    for weights in model.graph.initializer:
        if np.prod(weights.dims) > SMALL:
            copy.graph.input.append(helper.make_tensor_value_info(weights.name, weights.data_type, weights.dims))
        else:
            copy.graph.initializer.append(weights)
    known = {weights.name for weights in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in known:  # an old file lists its weights too
            kind = value.type.tensor_type.elem_type
            copy.graph.input.append(helper.make_tensor_value_info(value.name, kind, inputs[value.name]))
    for value in model.graph.output:
        copy.graph.output.append(helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, None))
    return copy
