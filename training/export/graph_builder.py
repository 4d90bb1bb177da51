"""nodes and constants, one after the other ──▶ an ONNX model."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

OPSETS = {"": 18, "ai.onnx.ml": 3, "com.microsoft": 1}
_IR_VERSION = 10


class GraphBuilder:
    """Collects nodes and constants under unique names."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._prefix = prefix

    def constant(self, value: Any, dtype: type[np.generic] = np.float32) -> str:
        """Names a constant."""
        name = f"{self._prefix}constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def node(self, operator: str, *inputs: str, output: str = "", domain: str = "", **attributes: Any) -> str:
        """Adds a node of one output, and names that."""
        output = output or f"{self._prefix}{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, domain=domain, **attributes))
        return output

    def model(self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> ModelProto:
        """The model of these nodes."""
        graph = helper.make_graph(self.nodes, "head", inputs, outputs, self.constants)
        model = helper.make_model(graph)
        set_versions(model)
        return model


def set_versions(model: ModelProto) -> None:
    """The least ones that its nodes need become those of all parts, which cannot be put together otherwise."""
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in OPSETS.items())
    model.ir_version = _IR_VERSION
