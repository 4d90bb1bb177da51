"""A head as it is served."""

from __future__ import annotations

import numpy as np
import pytest

from models.bundle.input_spec import InputSpec
from models.columns import Column
from models.runtime.engine_types import HeadOutput
from models.runtime.head_answers import estimate
from tests.training.plain_source import plain_source
from training.data.dataset import Dataset
from training.export.exported_head import ExportedHead, accepted
from training.heads.features.encoding import Rows
from training.heads.head_fit import Fitting
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.registry import REGISTRY
from training.heads.selection.search import fit_heads
from training.policy.policies import PolicyTargets
from training.reports.interval_coverage import coverage
from training.stages.finishing import finish

COLUMNS = (Column(name="size", type="number", low=-9.0, high=9.0),)
TARGETS = PolicyTargets()


def rows_of(count: int, seed: int) -> LabelledEmbeddings:
    """Numbers whose noise is as large as the column beside them."""
    random = np.random.default_rng(seed)
    embedding, size = random.normal(size=(count, 8)).astype(np.float32), random.uniform(0.1, 1, count)
    labels = embedding[:, 0] + size * random.normal(size=count)
    return LabelledEmbeddings(embedding, labels, [{"size": float(value)} for value in size])


def finished(rows: int, targets: PolicyTargets = TARGETS) -> ExportedHead:
    labelled = rows_of(rows, seed=0)
    source = plain_source(labelled, np.arange(rows) % 5, labelled.part(np.arange(0)))
    images = np.zeros((rows, 4, 4, 1), np.uint8)
    dataset = Dataset("lengths", images, labelled.labels, (), InputSpec(height=4, width=4, channels=1), columns=COLUMNS)
    best = fit_heads([REGISTRY["linear_regression"]], source, Fitting(columns=COLUMNS))[0]
    return finish(best, dataset, source, None, name="length", targets=targets, seed=0)


def test_numbers_have_intervals_that_out_of_fold_answers_gave() -> None:
    head = finished(600)
    fresh = rows_of(4000, seed=1)
    values, intervals = head.head.answer(fresh.embedding, fresh.rows)
    assert head.spec.interval_coverage == 0.9
    assert intervals is not None
    assert coverage(values[:, 0], fresh.labels, intervals).covered == pytest.approx(0.9, abs=0.04)
    widths, size = intervals[:, 1] - intervals[:, 0], np.array([row["size"] for row in fresh.rows], float)
    assert widths[size > 0.8].mean() > 2 * widths[size < 0.3].mean()


def test_with_too_few_rows_for_an_interval_there_is_none() -> None:
    head = finished(8)
    assert head.spec.interval_coverage is None
    assert head.head.answer(rows_of(3, seed=1).embedding, rows_of(3, seed=1).rows)[1] is None


def test_columns_are_told_with_the_range_of_the_rows_that_the_head_was_fitted_on() -> None:
    sizes = [row["size"] for row in rows_of(60, seed=0).rows]
    (size,) = finished(60).spec.columns
    assert (size.low, size.high) == (min(sizes), max(sizes))


def test_rows_out_of_range_of_the_fold_that_judges_them_count_as_reviewed() -> None:
    careful, bold = finished(300), finished(300, PolicyTargets(extrapolate=True))
    assert careful.spec.policy.range_columns == ("size",)
    assert bold.spec.policy == careful.spec.policy.model_copy(update={"range_columns": ()})
    assert careful.held_out is not None
    assert bold.held_out is not None
    sizes = np.array([row["size"] for row in rows_of(300, seed=0).rows], float)
    folds = np.arange(300) % 5
    outside = np.zeros(300, bool)
    for fold in range(5):
        inside = folds == fold
        outside |= inside & ((sizes < sizes[~inside].min()) | (sizes > sizes[~inside].max()))
    assert {int(sizes.argmin()), int(sizes.argmax())} <= set(np.flatnonzero(outside).tolist())
    np.testing.assert_array_equal(careful.held_out.accepted, bold.held_out.accepted & ~outside)


def test_training_reviews_what_the_service_does() -> None:
    for targets, beyond in ((TARGETS, "review"), (PolicyTargets(extrapolate=True), "accept")):
        head = finished(300, targets)
        embedding = rows_of(2, seed=1).embedding
        rows: Rows = [{"size": 0.5}, {"size": 1.5}]
        output, interval = head.head.answer(embedding, rows)
        takes = accepted(head.spec, output, np.zeros(2, np.float32), rows)
        assert interval is not None
        served = [
            estimate(HeadOutput(output[row], rows[row], 0.0, interval[row]), head.spec).decision for row in range(2)
        ]
        assert served == ["accept", beyond]
        assert takes.tolist() == [decision == "accept" for decision in served]


def test_thresholds_are_chosen_without_rows_out_of_range() -> None:
    labelled = rows_of(300, seed=0)
    labels = (labelled.labels > 0).astype(np.int64)
    labelled = LabelledEmbeddings(labelled.embedding, labels, labelled.rows)
    source = plain_source(labelled, np.arange(300) % 5, labelled.part(np.arange(0)))
    images = np.zeros((300, 4, 4, 1), np.uint8)
    dataset = Dataset("signs", images, labels, ("a", "b"), InputSpec(height=4, width=4, channels=1), columns=COLUMNS)
    best = fit_heads([REGISTRY["logistic_regression"]], source, Fitting(2, COLUMNS))[0]
    shares = []
    for extrapolate in (False, True):
        targets = PolicyTargets(target_precision=0.6, extrapolate=extrapolate)
        head = finish(best, dataset, source, None, name="sign", targets=targets, seed=0)
        assert head.held_out is not None
        assert head.held_out.promise is not None
        assert head.held_out.promise.coverage == head.held_out.accepted.mean()
        shares.append(head.held_out.promise.coverage)
    assert shares[0] < shares[1]
