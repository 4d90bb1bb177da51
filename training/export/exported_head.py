"""`ExportedHead`: a head as it is served, in ONNX sessions, with its files and its entry in the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.policy import as_served
from models.runtime.head_sessions import Head, OutlierDetector, open_head, open_outlier_detector
from models.runtime.sessions import Distances, Embedding, Probabilities
from training.heads.features.encoding import Rows
from training.policy.outlier_detection import OutlierLimit
from training.policy.promise import Promise


@dataclass(frozen=True)
class HeldOutDecisions:
    """Out-of-fold answers on held-out images, and what the policy that they chose decides about them.

    Attributes:
        answers: probabilities float32 `[J, K]`, or values `[J, 1]`.
        labels: class positions, int64 `[J]`, or numbers, float64 `[J]`.
        accepted: which answers the policy accepts, bool `[J]`.
        promise: what the policy promises; None for numbers.
        limit: of the outlier distance; None if nothing was held out.
    """

    answers: Probabilities
    labels: NDArray[Any]
    accepted: NDArray[np.bool_]
    promise: Promise | None
    limit: OutlierLimit | None


@dataclass(frozen=True)
class ExportedHead:
    """A head as it is served.

    Attributes:
        spec: its entry in the manifest, without metrics.
        head: its graph, in a session.
        outliers: the graph that gives the distance of an embedding from those of training; None if it has none.
        files: its files in the bundle, by name.
        held_out: what its policy was chosen by; None for a head of an existing bundle.
    """

    spec: HeadSpec
    head: Head
    outliers: OutlierDetector | None
    files: Mapping[str, bytes] = field(repr=False)
    held_out: HeldOutDecisions | None = None

    @classmethod
    def from_bundle(cls, bundle: Bundle, spec: HeadSpec) -> ExportedHead:
        """Opens a head of a bundle.

        Raises:
            BundleError: a graph is not what the manifest says.
        """
        own = {spec.file, spec.outlier_file}
        folder = f"{spec.examples_folder}/"
        files = {name: data for name, data in bundle.files.items() if name in own or name.startswith(folder)}
        return cls(spec, open_head(bundle, spec), open_outlier_detector(bundle, spec), files)

    def distances(self, embedding: Embedding) -> Distances:
        """Distances `[N]` of embeddings `[N, D]` from those of training; 0 without outlier detection."""
        return np.zeros(len(embedding), np.float32) if self.outliers is None else self.outliers(embedding)


def accepted(
    spec: HeadSpec,
    answers: Probabilities,
    distances: Distances,
    rows: Rows = (),
    outside: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Which answers a head's policy accepts, bool `[N]`, exactly as served.

    Args:
        spec: the head's entry in the manifest.
        answers: the head's, `[N, K]` or `[N, 1]`.
        distances: of the images from those of training, `[N]`.
        rows: columns beside the images.
        outside: which rows are outside the range of the rows that the head was fitted on, `[N]`; None takes the range
            in `spec`.
    """
    policy, classes = spec.policy, spec.classes
    decisions = []
    for row, (output, distance) in enumerate(zip(as_served(answers), distances.tolist(), strict=True)):
        columns = rows[row] if rows else {}
        beyond = policy.range_columns if outside is not None and outside[row] else ()
        label, confidence = (classes[int(answers[row].argmax())], float(output.max())) if classes else ("", 1.0)
        decision, _ = policy.decide(
            confidence,
            label,
            distance=distance,
            missing=spec.missing(columns),
            outside=spec.outside(columns) if outside is None else beyond,
            probabilities=dict(zip(classes, output.tolist(), strict=True)) if policy.review_from else None,
        )
        decisions.append(decision == "accept")
    return np.array(decisions, bool)
