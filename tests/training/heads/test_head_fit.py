"""`training.heads.head_fit`: the sample of rows that a kind is fitted on."""

from __future__ import annotations

import numpy as np
import pytest

from training.heads.head_fit import sample_rows

STRATA = np.repeat([0, 1, 2], [700, 290, 10])


@pytest.mark.parametrize("limit", [None, 1000, 5000], ids=["no limit", "exactly the limit", "a larger limit"])
def test_all_rows_are_taken_where_they_are_no_more_than_the_limit(limit: int | None) -> None:
    np.testing.assert_array_equal(sample_rows(STRATA, limit, 0), np.arange(1000))


def test_each_stratum_gives_the_same_share() -> None:
    assert np.bincount(STRATA[sample_rows(STRATA, 500, 0)]).tolist() == [350, 145, 5]


def test_a_rare_stratum_gives_two_rows_at_least() -> None:
    assert np.bincount(STRATA[sample_rows(STRATA, 50, 0)]).tolist() == [35, 14, 2]


def test_positions_ascend_and_no_row_is_drawn_twice() -> None:
    drawn = sample_rows(STRATA, 500, 0)
    assert (np.diff(drawn) > 0).all()


def test_the_seed_decides_which_rows_are_drawn() -> None:
    first, again, other = (sample_rows(STRATA, 100, seed).tolist() for seed in (0, 0, 1))
    assert first == again != other
