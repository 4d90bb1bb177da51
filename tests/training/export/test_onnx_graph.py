"""`training.export.onnx_graph`: apart and together again without a loss."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from models.runtime.sessions import Embedder, cpu_session
from training.data.dataset import Dataset
from training.exceptions import ExportError
from training.export.onnx_graph import Graph, attributes_of, make_node


def test_a_graph_put_together_again_computes_the_same(embedder_graph: bytes, dataset: Dataset) -> None:
    again = Graph.parse(embedder_graph).to_bytes()
    found, expected = (Embedder(cpu_session(graph))(dataset.images[:5]) for graph in (again, embedder_graph))
    np.testing.assert_array_equal(found, expected)


def test_constants_that_no_node_uses_are_left_out(embedder_graph: bytes) -> None:
    graph = Graph.parse(embedder_graph)
    graph.constants["unused"] = np.zeros(10_000, np.float32)
    assert len(graph.to_bytes()) <= len(embedder_graph)


def test_shapes_follow_from_the_inputs(embedder_graph: bytes) -> None:
    shapes = Graph.parse(embedder_graph).shapes()
    assert shapes["image"] == [0, 8, 8, 3]
    assert shapes["embedding"] == [0, 160]


def test_users_are_the_nodes_that_take_a_tensor(embedder_graph: bytes) -> None:
    graph = Graph.parse(embedder_graph)
    (user,) = graph.users("image")
    assert user is graph.nodes[0]
    assert graph.users("embedding") == []


def test_attributes_come_back_as_they_were_given() -> None:
    node = make_node("Conv", ["x", "w"], "y", {"strides": [2, 1], "group": 3})
    assert attributes_of(node) == {"strides": [2, 1], "group": 3}
    assert (node.name, list(node.output)) == ("y", ["y"])


def test_another_opset_is_refused(embedder_graph: bytes) -> None:
    model = onnx.load_model_from_string(embedder_graph)
    model.opset_import[0].version = 17
    with pytest.raises(ExportError, match="opset 17, not 18"):
        Graph.parse(model.SerializeToString())
