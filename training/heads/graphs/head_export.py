"""fitted head ──▶ an ONNX graph that computes the same, or an ExportError."""

from __future__ import annotations

import numpy as np

from models.bundle.head_spec import HeadSpec
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedding, cpu_session, relative_difference
from training.export.agreement import agreement, check
from training.export.onnx_graph import strip
from training.heads.features.encoding import Rows
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_graph import head_graph

PROBABILITY_TOLERANCE = 1e-4


def export_head(head: FittedHead, spec: HeadSpec, sample: Embedding, rows: Rows = ()) -> bytes:
    """Exports a fitted head as `embedding` float32 `[N, D]` and columns to its outputs.

    Those are `label` and `probabilities`, or `value` and, where the head has a scale, `interval`.

    Args:
        head: the fitted head.
        spec: its entry in the manifest.
        sample: embeddings `[S, D]` on which graph and head are compared.
        rows: the columns beside them.

    Raises:
        ExportError: the outputs of graph and head differ.
    """
    model = head_graph(head, spec, sample.shape[1])
    strip(model)
    graph: bytes = model.SerializeToString()
    expected = head(sample, rows)
    found, bounds = Head(cpu_session(graph), spec).answer(sample, rows)
    difference = float(np.abs(found - expected).max()) if spec.classes else relative_difference(found, expected)
    check(spec.file, difference, PROBABILITY_TOLERANCE, agreement(found, expected) if spec.classes else 1.0)
    wanted = head.interval(sample, rows)
    if bounds is not None and wanted is not None:
        check(f"{spec.file}, intervals", relative_difference(bounds, wanted), PROBABILITY_TOLERANCE)
    return graph
