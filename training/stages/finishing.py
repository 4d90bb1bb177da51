"""the best candidate ──▶ `ExportedHead`: fitted on all rows, with policy, outlier detection and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.bundle.examples import Examples
from models.bundle.head_spec import HeadSpec
from models.columns import Column
from models.policy import NEVER, Policy
from models.runtime.head_sessions import Head, OutlierDetector
from models.runtime.sessions import Distances, cpu_session
from training.data.dataset import Dataset
from training.export.exported_head import ExportedHead, HeldOutDecisions, accepted
from training.heads.calibration import Rescaling
from training.heads.features.encoding import fitted_columns
from training.heads.fitted_head import FittedHead
from training.heads.graphs.head_export import export_head
from training.heads.intervals import COVERED, fit_intervals
from training.heads.selection.candidates import Candidate
from training.heads.sources import Source
from training.policy.outlier_detection import (
    OutlierLimit,
    cross_distances,
    export_outlier_model,
    fit_outlier_model,
    outlier_limit,
)
from training.policy.policies import HeldOut, PolicyTargets, choose_policy, expected_columns, range_columns
from training.policy.promise import Promise

_EXPORT_SAMPLE = 5000


@dataclass(frozen=True)
class _PolicyChoice:
    """A policy and what it was chosen by.

    Attributes:
        policy: the chosen one.
        promise: what it promises; None for numbers.
        limit: of the outlier distance; None if nothing was held out.
        distances: of the held-out rows from the others, out of fold, `[J]`.
        outside: which held-out rows are outside the range of the rows that their head was fitted on, bool `[J]`.
    """

    policy: Policy
    promise: Promise | None
    limit: OutlierLimit | None
    distances: Distances
    outside: NDArray[np.bool_]


def finish(
    candidate: Candidate,
    dataset: Dataset,
    source: Source,
    examples: Examples | None,
    *,
    name: str,
    targets: PolicyTargets,
    seed: int,
) -> ExportedHead:
    """Fits the best candidate on all rows, chooses its policy by out-of-fold answers, and exports the head.

    Args:
        candidate: the best one.
        dataset: has the names of classes and columns.
        source: the candidate's; its held-out rows choose the policy.
        examples: training images for explanations; None for none.
        name: the head's.
        targets: of the policy.
        seed: of the clusters, and of the choice of one row per group.

    Raises:
        ExportError: an exported graph does not compute what the fitted model computes.
        DataError: a policy target names an unknown class.
    """
    head, columns = _with_intervals(candidate, source), fitted_columns(dataset.columns, source.whole.rows)
    choice = _choose_policy(candidate, dataset, source, columns, targets=targets, seed=seed)
    has_decisions = dataset.classes or head.scale is not None  # a number without an interval is never accepted
    spec = HeadSpec(
        name=name,
        kind=candidate.kind.name,
        task=head.task,
        classes=dataset.classes,
        columns=columns,
        policy=choice.policy if has_decisions else choice.policy.model_copy(update={"min_confidence": NEVER}),
        interval_coverage=None if head.scale is None else COVERED,
        explain_rows=candidate.kind.explain_rows if examples else 0,
    )
    held_out = _decisions(spec, candidate, source, choice)
    return replace(_export(head, spec, source, examples, seed=seed), held_out=held_out)


def _decisions(spec: HeadSpec, candidate: Candidate, source: Source, choice: _PolicyChoice) -> HeldOutDecisions:
    """What the policy decides about the held-out rows."""
    accepts = accepted(spec, candidate.answers, choice.distances, source.held_out.rows, choice.outside)
    return HeldOutDecisions(candidate.answers, source.held_out.labels, accepts, choice.promise, choice.limit)


def _choose_policy(
    candidate: Candidate,
    dataset: Dataset,
    source: Source,
    columns: Sequence[Column],
    *,
    targets: PolicyTargets,
    seed: int,
) -> _PolicyChoice:
    """Chooses thresholds on one held-out row per group, as copies are no further evidence."""
    rows = source.held_out.rows
    distances = _distances(source, is_number=not dataset.classes, seed=seed)
    counted = source.one_per_unit(seed)
    limit = outlier_limit(distances[counted], targets.false_alarms) if len(counted) else None
    expected = expected_columns(columns, source.whole.rows)
    ranged = () if targets.extrapolate else range_columns(columns)
    outside = _outside(source, columns, ranged)
    can_accept = distances <= (limit.value if limit else 0.0)
    if columns:
        can_accept &= np.array([all(row[name] is not None for name in expected) for row in rows], bool) & ~outside
    held_out = HeldOut(
        candidate.answers[counted], source.held_out.labels[counted], can_accept[counted], dataset.classes
    )
    max_distance = limit.value if limit else None
    policy, promise = choose_policy(held_out, targets, max_distance=max_distance, expected=expected, ranged=ranged)
    return _PolicyChoice(policy, promise, limit, distances, outside)


def _export(head: FittedHead, spec: HeadSpec, source: Source, examples: Examples | None, *, seed: int) -> ExportedHead:
    """Exports head, outlier detection and examples, each graph checked against the fitted model."""
    whole = source.whole
    sample = whole.part(np.arange(len(whole))[-_EXPORT_SAMPLE:])
    graph = export_head(head, spec, sample.embedding, sample.rows)
    files, outliers = {spec.file: graph}, None
    if spec.outlier_file:
        detector = fit_outlier_model(whole.embedding, whole.labels if spec.classes else None, seed=seed)
        files[spec.outlier_file] = export_outlier_model(detector, sample.embedding, spec.outlier_file)
        outliers = OutlierDetector(cpu_session(files[spec.outlier_file]))
    if examples and spec.examples_folder:
        files |= examples.to_files(spec.examples_folder)
    return ExportedHead(spec, Head(cpu_session(graph), spec), outliers, files)


def _with_intervals(candidate: Candidate, source: Source) -> FittedHead:
    """The head fitted on all rows; for numbers with intervals."""
    head, held_out = candidate.finished(source), source.held_out
    rescaling = head.calibration
    if not isinstance(rescaling, Rescaling):
        return head
    features = head.encoder(held_out.embedding, held_out.rows)
    values, labels = rescaling.undo(candidate.answers), rescaling.undo(held_out.labels)
    width = head.encoder.view.width(held_out.embedding.shape[1])
    scale = fit_intervals(features, values, labels, candidate.crossed.folds, width=width)
    return replace(head, scale=scale)


def _outside(source: Source, columns: Sequence[Column], ranged: Sequence[str]) -> NDArray[np.bool_]:
    """Which held-out rows are outside the range of the rows that their out-of-fold head was fitted on, bool `[J]`.

    The range of all rows would contain every held-out row, though it does not contain every new one.
    """
    outside = np.zeros(len(source.held_out), bool)
    for fold in np.unique(source.folds).tolist() if ranged else ():
        fitted = [column for column in fitted_columns(columns, source.without(fold).rows) if column.name in ranged]
        for row in np.flatnonzero(source.folds == fold).tolist():
            outside[row] = any(column.is_outside(source.held_out.rows[row][column.name]) for column in fitted)
    return outside


def _distances(source: Source, *, is_number: bool, seed: int) -> Distances:
    """Distances of the held-out rows from the others, out of fold, `[J]`."""
    held_out, seen = source.held_out, source.seen
    return cross_distances(
        held_out.embedding,
        None if is_number else held_out.labels,
        source.folds,
        source.fitted,
        base=seen.embedding,
        base_groups=None if is_number else seen.labels,
        seed=seed,
    )
