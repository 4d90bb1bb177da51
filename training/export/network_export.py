"""fitted network ──▶ an ONNX graph that computes the same, or an ExportError."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from models.runtime.sessions import Embedder, cpu_session
from training.export.agreement import check
from training.export.onnx_graph import strip

EMBEDDING_TOLERANCE = 1e-3  # of the largest element; float32 sums in another order
_OPSET = 18
_OUTPUT = "embedding.output"
"""The output's name at first: inside, networks may have an `embedding` of their own."""


def export_embedder(network: nn.Module, classifier: nn.Module, sample: NDArray[np.uint8]) -> bytes:
    """Exports scaling and features as one graph, `image` uint8 `[N, H, W, C]` to `embedding` float32 `[N, D]`.

    Args:
        network: computes just that; in evaluation mode, on the CPU.
        classifier: what was fitted together with it on the embedding, to compare which classes it names.
        sample: images `[S, H, W, C]`, at least 2, on which graph and network are compared.

    Raises:
        ExportError: the graph computes something else.
    """
    graph = export_torch(network, sample)
    with torch.no_grad():
        expected = network(torch.from_numpy(sample))
        expected_classes = classifier(expected).argmax(1).numpy()
        found = Embedder(cpu_session(graph))(sample)
        found_classes = classifier(torch.from_numpy(found)).argmax(1).numpy()
    scale = float(expected.abs().max()) or 1.0
    difference = float(np.abs(found - expected.numpy()).max()) / scale
    check("embedder.onnx", difference, EMBEDDING_TOLERANCE, float((found_classes == expected_classes).mean()))
    return graph


def export_torch(network: nn.Module, sample: NDArray[np.uint8]) -> bytes:
    """The same for any network, without the comparison."""
    example = torch.from_numpy(sample[:2])
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["image"],
            output_names=[_OUTPUT],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    strip(model)
    _rename(model, {"embedding": "embedding.inner", _OUTPUT: "embedding"})
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def _rename(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Renames tensors."""
    for node in model.graph.node:
        for listed in (node.input, node.output):
            listed[:] = [names.get(name, name) for name in listed]
    graph = model.graph
    values: list[onnx.ValueInfoProto | onnx.TensorProto] = [*graph.output, *graph.value_info, *graph.initializer]
    for value in values:
        value.name = names.get(value.name, value.name)
