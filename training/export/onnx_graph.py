"""ONNX bytes ◀──▶ `Graph`: nodes and constants as lists and arrays, which are easy to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.exceptions import ExportError

Array = NDArray[Any]
Node = onnx.NodeProto
Value = onnx.ValueInfoProto

_OPSET = 18
_IR_VERSION = 10


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can be computed, constants by name, inputs and outputs."""

    nodes: list[Node]
    constants: dict[str, Array]
    inputs: list[Value]
    outputs: list[Value]

    @classmethod
    def parse(cls, data: bytes) -> Graph:
        """Reads a serialized model.

        Raises:
            ExportError: one of another opset than `training.export.network_export` writes.
        """
        model = onnx.load_model_from_string(data)
        opsets = {opset.domain: opset.version for opset in model.opset_import}
        if opsets.get("") != _OPSET:
            raise ExportError(f"the graph has operators of opset {opsets.get('')}, not {_OPSET}")
        graph = model.graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        return cls(list(graph.node), constants, list(graph.input), list(graph.output))

    def to_bytes(self) -> bytes:
        """Serializes it without the constants that no node uses."""
        return bytes(self._model().SerializeToString())

    def users(self, tensor: str) -> list[Node]:
        """The nodes that take a tensor."""
        return [node for node in self.nodes if tensor in node.input]

    def shapes(self) -> dict[str, list[int]]:
        """Shapes of all tensors, as far as they follow from the inputs'; the open batch is 0."""
        graph = onnx.shape_inference.infer_shapes(self._model()).graph
        values = [*graph.input, *graph.value_info, *graph.output]
        return {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in values}

    def _model(self) -> onnx.ModelProto:
        used = dict.fromkeys(name for node in self.nodes for name in node.input if name in self.constants)
        tensors = [numpy_helper.from_array(np.asarray(self.constants[name]), name) for name in used]
        graph = helper.make_graph(self.nodes, "embedder", self.inputs, self.outputs, tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)


def make_node(operator: str, inputs: Sequence[str], output: str, attributes: Mapping[str, Any] | None = None) -> Node:
    """A node with one output, named for it."""
    return helper.make_node(operator, list(inputs), [output], name=output, **(attributes or {}))


def attributes_of(node: Node) -> dict[str, Any]:
    """A node's attributes as Python values."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def float_value(name: str) -> Value:
    """A float32 tensor of any shape, as input or output of a graph."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def strip(model: onnx.ModelProto) -> None:
    """Removes an exporter's notes: stack traces, file names, its name."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    del graph.value_info[:]
