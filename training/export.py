"""fitted models ──▶ ONNX graphs that compute the same, or an ExportError."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from models.manifest import HeadSpec
from models.sessions import Embedder, Embedding, Head, Probabilities, cpu_session, relative_difference
from training.errors import ExportError
from training.heads.decider import Decider
from training.heads.encoding import Rows
from training.heads.head_graph import head_graph

MIN_AGREEMENT = 0.9995  # share of images on which both must name the same class
EMBEDDING_TOLERANCE = 1e-3  # of the largest element; float32 sums in another order
PROBABILITY_TOLERANCE = 1e-4
TIE = 1e-6  # probabilities that are this close are the same, but for the rounding of float32

_OPSET = 18


def export_embedder(network: nn.Module, classifier: nn.Module, sample: NDArray[np.uint8]) -> bytes:
    """Exports scaling and features as one graph, `image` uint8 `[N, H, W, C]` to `embedding` float32 `[N, D]`.

    Args:
        network: computes just that; in evaluation mode, on the CPU.
        classifier: what was fitted together with it on the embedding, to compare which classes it names.
        sample: images `[S, H, W, C]`, at least 2, on which graph and network are compared.

    Raises:
        ExportError: the graph computes something else.
    """
    graph = _export_torch(network, sample)
    with torch.no_grad():
        expected = network(torch.from_numpy(sample))
        expected_classes = classifier(expected).argmax(1).numpy()
        found = Embedder(cpu_session(graph))(sample)
        found_classes = classifier(torch.from_numpy(found)).argmax(1).numpy()
    scale = float(expected.abs().max()) or 1.0
    difference = float(np.abs(found - expected.numpy()).max()) / scale
    _compare("embedder.onnx", difference, EMBEDDING_TOLERANCE, float((found_classes == expected_classes).mean()))
    return graph


def export_head(decider: Decider, spec: HeadSpec, sample: Embedding, rows: Rows = ()) -> bytes:
    """Exports a fitted head as `embedding` float32 `[N, D]` and columns to its outputs.

    Those are `label` and `probabilities`, or `value` and, where the head has a scale, `interval`.

    Args:
        decider: the fitted head.
        spec: its entry in the manifest.
        sample: embeddings `[S, D]` on which graph and head are compared.
        rows: the columns beside them.

    Raises:
        ExportError: the graph computes something else.
    """
    model = head_graph(decider, spec, sample.shape[1])
    _strip(model)
    graph: bytes = model.SerializeToString()
    expected = decider(sample, rows)
    found, bounds = Head(cpu_session(graph), spec).answer(sample, rows)
    difference = float(np.abs(found - expected).max()) if spec.classes else relative_difference(found, expected)
    agrees = agreement(found, expected) if spec.classes else 1.0
    _compare(spec.file, difference, PROBABILITY_TOLERANCE, agrees)
    wanted = decider.interval(sample, rows)
    if bounds is not None and wanted is not None:
        _compare(f"{spec.file}, intervals", relative_difference(bounds, wanted), PROBABILITY_TOLERANCE, 1.0)
    return graph


def agreement(found: Probabilities, expected: Probabilities) -> float:
    """Share of rows `[N, K]` whose likeliest class is the same, or one that ties with it, as it often is in trees."""
    ties = expected[np.arange(len(found)), found.argmax(1)] >= expected.max(1) - TIE
    return float(ties.mean())


def _export_torch(network: nn.Module, sample: NDArray[np.uint8]) -> bytes:
    example = torch.from_numpy(sample[:2])
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations, none of them ours to mend
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["image"],
            output_names=["embedding"],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _strip(model)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def _strip(model: onnx.ModelProto) -> None:
    """Removes what exporters note: stack traces, file names, their own names."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    del graph.value_info[:]


def _compare(file: str, difference: float, tolerance: float, agreement: float) -> None:
    if not difference <= tolerance or agreement < MIN_AGREEMENT:  # written so that NaN is refused, too
        raise ExportError(
            f"{file} does not compute what the fitted model computes: largest difference {difference:.2g} "
            f"(limit {tolerance:.2g}), same class for {agreement:.4%} (limit {MIN_AGREEMENT:.2%})"
        )
