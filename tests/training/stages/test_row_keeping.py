"""`training.stages.row_keeping`: which rows a bundle keeps, and what a sample stands for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import TEST, KeptRows
from models.columns import Column
from tests.training.worlds import WIDTH, training_data
from training.stages.row_keeping import rows_file, rows_of

CLASSES = 3
KIB = 1024


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> KeptRows:
    return rows_of(training_data("both", 3000, tmp_path_factory.mktemp("rows"), tested=900, classes=CLASSES))


def read(data: bytes | None) -> KeptRows:
    assert data is not None
    columns = (Column(name="weight", type="number"), Column(name="shape", type="category"))
    return KeptRows.from_file(data, HeadSpec(name="h", kind="x", classes=tuple("abc"), columns=columns), WIDTH)


def test_all_rows_are_kept_where_they_fit(rows: KeptRows) -> None:
    found = read(rows_file(rows, 1024 * KIB, 0))
    assert len(found) == 3900
    assert (found.weight == 1).all()
    assert (found.part == TEST).sum() == 900


def test_a_sample_fits_the_limit_and_nearly_fills_it(rows: KeptRows) -> None:
    data = rows_file(rows, 40 * KIB, 0)
    assert data is not None
    assert 30 * KIB < len(data) <= 40 * KIB


def test_a_sample_stands_for_all_rows_of_each_class_and_part(rows: KeptRows) -> None:
    found = read(rows_file(rows, 40 * KIB, 0))
    for is_test in (True, False):
        for label in range(CLASSES):
            whole = ((rows.part == TEST) == is_test) & (rows.labels == label)
            kept = ((found.part == TEST) == is_test) & (found.labels == label)
            assert found.weight[kept].sum() == pytest.approx(whole.sum(), rel=1e-4)


def test_test_rows_and_others_share_a_sample_equally(rows: KeptRows) -> None:
    found = read(rows_file(rows, 40 * KIB, 0))
    assert abs((found.part == TEST).sum() - (found.part != TEST).sum()) <= CLASSES


def test_a_sample_of_a_sample_still_stands_for_all_rows(rows: KeptRows) -> None:
    found = read(rows_file(read(rows_file(rows, 60 * KIB, 0)), 30 * KIB, 1))
    assert found.weight.sum() == pytest.approx(len(rows), rel=1e-4)


def test_answers_are_a_part_of_their_own(rows: KeptRows) -> None:
    answer = np.where(np.arange(len(rows)) < 100, b"ab" * 32, b"").astype("S64")
    found = read(rows_file(replace(rows, answer=answer), 40 * KIB, 0))
    assert (found.answer != b"").sum() == 100


def test_columns_are_those_of_the_rows(tmp_path: Path) -> None:
    data = training_data("both", 50, tmp_path, tested=10, classes=CLASSES)
    found = rows_of(data)
    weight = found.columns["weight"]
    assert [weight.distinct[position] for position in weight.positions] == [row["weight"] for row in data.dataset.rows]


def test_a_limit_that_no_row_fits_within_keeps_none(rows: KeptRows) -> None:
    assert rows_file(rows, 100, 0) is None
