"""How often intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from training.reports.interval_coverage import Fifth, coverage


def test_it_is_told_for_fifths_of_the_numbers_named() -> None:
    values = np.arange(10.0)[::-1]
    truths = np.where(values >= 8, values + 3, values)
    found = coverage(values, truths, np.stack([values - 1, values + 1 + values], axis=1))
    assert found.covered == 1.0  # an interval that reaches to twice the number
    found = coverage(values, truths, np.stack([values - 1, values + 1], axis=1))
    assert found.covered == pytest.approx(0.8)
    assert found.fifths[0] == Fifth(low=0, high=1, count=2, covered=1, width=2)
    assert found.fifths[4] == Fifth(low=8, high=9, count=2, covered=0, width=2)
    assert len(found.fifths) == 5


def test_bounds_belong_to_the_interval() -> None:
    assert coverage(np.ones(1), np.ones(1), np.ones((1, 2))).covered == 1.0


def test_three_numbers_make_three_parts() -> None:
    found = coverage(np.arange(3.0), np.arange(3.0), np.array([[0, 0], [5, 6], [0, 4]]))
    assert [part.covered for part in found.fifths] == [1, 0, 1]
    assert [part.width for part in found.fifths] == [0, 1, 4]
