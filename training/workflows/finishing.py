"""the best candidate ──▶ `Finished`: a head as it is served, with policy, novelty and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.examples import Examples
from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.columns import Column
from models.policy import NEVER, as_served
from models.runtime.head_sessions import Head, OutlierDetector, open_head, open_outlier_detector
from models.runtime.sessions import Distances, Embedding, Probabilities, cpu_session
from training.data.dataset import Dataset
from training.heads.calibration import Rescaling
from training.heads.features.encoding import Rows, fitted_columns
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_export import export_head
from training.heads.intervals import COVERED, fit_intervals
from training.heads.selection.candidates import Candidate
from training.heads.sources import Source
from training.policy.outlier_detection import Limit, cross_distances, export_familiar, familiar_limit, fit_familiar
from training.policy.policies import Aims, Held, choose_policy, expected_columns, range_columns
from training.policy.promise import Promise

_EXPORT_SAMPLE = 5000


@dataclass(frozen=True)
class Judged:
    """Out-of-fold answers that chose the policy.

    Attributes:
        found: probabilities `[J, K]`, or values `[J, 1]`.
        labels: class positions, int64 `[J]`, or numbers, float64 `[J]`.
        accepted: which of them the policy accepts, `[J]`.
        promise: what it promises of those; None of numbers.
        limit: of the distance, and how often it is a false alarm; None where nothing was held out.
    """

    found: Probabilities
    labels: NDArray[Any]
    accepted: NDArray[np.bool_]
    promise: Promise | None
    limit: Limit | None


@dataclass(frozen=True)
class Finished:
    """A head as it is served.

    Attributes:
        spec: its entry in the manifest, but for its metrics.
        head: the graph, in a session.
        novelty: the graph that tells how unfamiliar an embedding is; None where the head has none.
        files: of the bundle, by name.
        judged: what its policy was chosen by; None of a bundle's head.
    """

    spec: HeadSpec
    head: Head
    novelty: OutlierDetector | None
    files: Mapping[str, bytes] = field(repr=False)
    judged: Judged | None = None

    @classmethod
    def of(cls, bundle: Bundle, spec: HeadSpec) -> Finished:
        """One of a bundle's heads.

        Raises:
            BundleError: a graph is not what the manifest says.
        """
        own = {spec.file, spec.outlier_file}
        folder = f"{spec.examples_folder}/"
        files = {name: data for name, data in bundle.files.items() if name in own or name.startswith(folder)}
        return cls(spec, open_head(bundle, spec), open_outlier_detector(bundle, spec), files)

    def distances(self, embedding: Embedding) -> Distances:
        """How far embeddings `[N, D]` are from those of training, `[N]`; 0 where nobody looks."""
        return np.zeros(len(embedding), np.float32) if self.novelty is None else self.novelty(embedding)


def accepted(
    spec: HeadSpec,
    found: Probabilities,
    distances: Distances,
    rows: Rows = (),
    outside: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Which answers `[N, K]` a head's policy accepts, `[N]`, exactly as served.

    Args:
        spec: the head's entry.
        found: its answers.
        distances: of the images from those of training, `[N]`.
        rows: columns beside them.
        outside: which rows lie beyond the range of those that the answers' heads were fitted on, `[N]`; None where that
            is the range in `spec`.
    """
    policy, classes = spec.policy, spec.classes
    decided = []
    for row, (output, distance) in enumerate(zip(as_served(found), distances.tolist(), strict=True)):
        columns = rows[row] if rows else {}
        beyond = policy.range_columns if outside is not None and outside[row] else ()
        label, confidence = (classes[int(found[row].argmax())], float(output.max())) if classes else ("", 1.0)
        decision, _ = policy.decide(
            confidence,
            label,
            distance=distance,
            missing=spec.missing(columns),
            outside=spec.outside(columns) if outside is None else beyond,
            probabilities=dict(zip(classes, output.tolist(), strict=True)) if policy.review_from else None,
        )
        decided.append(decision == "accept")
    return np.array(decided, bool)


def finish(
    candidate: Candidate,
    dataset: Dataset,
    source: Source,
    examples: Examples | None,
    *,
    name: str,
    aims: Aims,
    seed: int,
) -> Finished:
    """Fits the best candidate on all rows, chooses its policy by out-of-fold answers and exports it all.

    Args:
        candidate: the best one.
        dataset: names classes and columns.
        source: that it was judged on.
        examples: of the training images; None where nothing is to be explained.
        name: the head's.
        aims: of the policy.
        seed: of whatever is random.

    Raises:
        ExportError: a graph computes something else than what was fitted.
        DataError: the costs or limits name a label that is none.
    """
    head, whole = _bounded(candidate, source), source.whole
    groups = whole.labels if dataset.classes else None
    familiar = fit_familiar(whole.embedding, groups, seed=seed)
    distances = _distances(source, is_number=not dataset.classes, seed=seed)
    counted = source.one_per_unit(seed)  # copies are no evidence of their own
    limit = familiar_limit(distances[counted], aims.false_alarms) if len(counted) else None
    columns = fitted_columns(dataset.columns, whole.rows)
    expected, ranged = expected_columns(columns, whole.rows), () if aims.extrapolate else range_columns(columns)
    outside = _outside(source, columns, ranged)
    is_whole = np.array([all(row[name] is not None for name in expected) for row in source.held_out.rows], bool)
    is_familiar = distances <= (limit.value if limit else 0.0)
    can_accept = is_familiar & is_whole & ~outside if columns else is_familiar
    held = Held(candidate.answers[counted], source.held_out.labels[counted], can_accept[counted], dataset.classes)
    policy, promise = choose_policy(
        held, aims, max_distance=limit.value if limit else None, expected=expected, ranged=ranged
    )
    if not dataset.classes and head.scale is None:
        policy = policy.model_copy(update={"min_confidence": NEVER})
    spec = HeadSpec(
        name=name,
        kind=candidate.kind.name,
        task=head.task,
        classes=dataset.classes,
        columns=columns,
        policy=policy,
        interval_coverage=None if head.scale is None else COVERED,
        explain_rows=candidate.kind.explain_rows if examples else 0,
    )
    sample = whole.part(np.arange(len(whole))[-_EXPORT_SAMPLE:])
    head_graph = export_head(head, spec, sample.embedding, sample.rows)
    files = {spec.file: head_graph}
    novelty = None
    if spec.outlier_file:
        files[spec.outlier_file] = export_familiar(familiar, sample.embedding, spec.outlier_file)
        novelty = OutlierDetector(cpu_session(files[spec.outlier_file]))
    if examples and spec.examples_folder:
        files |= examples.to_files(spec.examples_folder)
    accepts = accepted(spec, candidate.answers, distances, source.held_out.rows, outside)
    judged = Judged(candidate.answers, source.held_out.labels, accepts, promise, limit)
    return Finished(spec, Head(cpu_session(head_graph), spec), novelty, files, judged)


def _bounded(candidate: Candidate, source: Source) -> FittedHead:
    """The head that serves, with intervals where it names a number."""
    head, judged = candidate.finished(source), source.held_out
    rescaling = head.calibration
    if not isinstance(rescaling, Rescaling):
        return head
    features = head.encoder(judged.embedding, judged.rows)
    values, labels = rescaling.undo(candidate.answers), rescaling.undo(judged.labels)
    width = head.encoder.view.width(judged.embedding.shape[1])
    scale = fit_intervals(features, values, labels, candidate.crossed.folds, width=width)
    return replace(head, scale=scale)


def _outside(source: Source, columns: Sequence[Column], ranged: Sequence[str]) -> NDArray[np.bool_]:
    """Which judged rows lie beyond the range of the rows that the head which judges them is fitted on, `[J]`.

    Of the head that is fitted on all of them none would, though of new rows some will.
    """
    outside = np.zeros(len(source.held_out), bool)
    for fold in np.unique(source.folds).tolist() if ranged else ():
        fitted = [column for column in fitted_columns(columns, source.without(fold).rows) if column.name in ranged]
        for row in np.flatnonzero(source.folds == fold).tolist():
            outside[row] = any(column.is_outside(source.held_out.rows[row][column.name]) for column in fitted)
    return outside


def _distances(source: Source, *, is_number: bool, seed: int) -> Distances:
    """Of each judged row from the others, out of fold, `[J]`."""
    judged, seen = source.held_out, source.seen
    return cross_distances(
        judged.embedding,
        None if is_number else judged.labels,
        source.folds,
        source.fitted,
        base=seen.embedding,
        base_groups=None if is_number else seen.labels,
        seed=seed,
    )
