"""What tests make of nodes and of heads: sessions, and the answers of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import ModelProto, TensorProto, helper

from models.bundle.head_spec import HeadSpec
from models.columns import Column
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedding, cpu_session
from training.arrays import Floats
from training.export.graph_builder import GraphBuilder
from training.heads.features.encoding import Rows
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_graph import head_graph


def run_nodes(add: Callable[[GraphBuilder, str], str], features: Embedding) -> Embedding:
    """What the nodes that `add` adds make of features `[N, F]`."""
    build = GraphBuilder("")
    output = add(build, "features")
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, features.shape[1]])]
    model = build.model(inputs, [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, None])])
    (found,) = cpu_session(model.SerializeToString()).run([output], {"features": features})
    return np.asarray(found)


def graph_of(head: FittedHead, width: int, columns: Sequence[Column] = ()) -> tuple[ModelProto, HeadSpec]:
    """A head's graph, and its entry in the manifest."""
    classes = tuple(f"class {at}" for at in range(head.classes))
    spec = HeadSpec(name="x", kind=head.kind.name, task=head.task, classes=classes, columns=tuple(columns))
    return head_graph(head, spec, width), spec


def answer(head: FittedHead, embedding: Embedding, columns: Sequence[Column] = (), rows: Rows = ()) -> Embedding:
    """What a head's graph says."""
    graph, spec = graph_of(head, embedding.shape[1], columns)
    return Head(cpu_session(graph.SerializeToString()), spec)(embedding, rows)


def operators(graph: ModelProto) -> list[str]:
    """Of its nodes, in order."""
    return [node.op_type for node in graph.graph.node]


def softmax(logits: Floats) -> Floats:
    """Of logits `[N, K]`."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))
