"""A head as it is served."""

from __future__ import annotations

import numpy as np
import pytest

from models.columns import Column
from models.manifest import InputSpec
from tests.training.plain_source import plain_source
from training.catalogue import CATALOGUE
from training.crossfit import Lesson
from training.dataset import Dataset
from training.finish import Finished, finish
from training.heads import Fitting, fit_regressors
from training.interval_coverage import coverage
from training.policies import Aims

COLUMNS = (Column(name="size", type="number"),)


def rows_of(count: int, seed: int) -> Lesson:
    """Numbers whose noise is as large as the column beside them."""
    random = np.random.default_rng(seed)
    embedding, size = random.normal(size=(count, 8)).astype(np.float32), random.uniform(0.1, 1, count)
    labels = embedding[:, 0] + size * random.normal(size=count)
    return Lesson(embedding, labels, [{"size": float(value)} for value in size])


def finished(rows: int) -> Finished:
    lesson = rows_of(rows, seed=0)
    source = plain_source(lesson, np.arange(rows) % 5, lesson.part(np.arange(0)))
    images = np.zeros((rows, 4, 4, 1), np.uint8)
    dataset = Dataset("lengths", images, lesson.labels, (), InputSpec(height=4, width=4, channels=1), columns=COLUMNS)
    best = fit_regressors([CATALOGUE["linear_regression"]], source, Fitting(columns=COLUMNS))[0]
    return finish(best, dataset, source, None, name="length", aims=Aims(), seed=0)


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
