"""`training.policy.exact_bounds`: exact tests against scipy, and the level that they keep over many draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from training.policy.exact_bounds import enough, fewest, shown


@pytest.mark.parametrize(("limit", "rows"), [(0.01, 299), (0.05, 59), (0.1, 29)])
def test_without_an_error_so_many_rows_are_needed(limit: float, rows: int) -> None:
    assert fewest(0, limit, 0.05) == rows
    assert (1 - limit) ** rows <= 0.05 < (1 - limit) ** (rows - 1)


@pytest.mark.parametrize("errors", [0, 1, 7, 40])
def test_the_bound_is_that_of_clopper_and_pearson(errors: int) -> None:
    rows = int(fewest(errors, 0.02, 0.05))
    upper = [binomtest(errors, each, alternative="less").proportion_ci(0.95).high for each in (rows - 1, rows)]
    assert upper[1] <= 0.02 < upper[0]


def falling(count: int) -> np.ndarray:
    return np.linspace(1.0, 0.5, count)


def test_the_whole_is_shown_if_nothing_is_lost() -> None:
    counts = shown(falling(2000), np.zeros(2000), 0.01, 0.05)
    assert counts[0] == fewest(0, 0.01, 0.025)
    assert counts[-1] > 1800


def test_a_wrong_one_among_the_surest_does_not_stop_it() -> None:
    losses = np.zeros(2000)
    losses[0] = 1
    assert shown(falling(2000), losses, 0.01, 0.05)[-1] > 1800


def test_with_few_rows_the_whole_level_goes_to_the_first_number() -> None:
    assert shown(falling(299), np.zeros(299), 0.01, 0.05).tolist() == [299]
    assert shown(falling(298), np.zeros(298), 0.01, 0.05).tolist() == []


def test_equal_confidences_are_accepted_together() -> None:
    confidence = np.repeat([1.0, 0.9, 0.8], [100, 100, 300])
    assert set(shown(confidence, np.zeros(500), 0.05, 0.05)) <= {100, 200, 500}
    assert shown(np.ones(500), np.repeat([0.0, 1.0], [400, 100]), 0.05, 0.05).tolist() == []


@pytest.mark.parametrize("limit", [0.0, 0.01], ids=["no loss is allowed", "no row"])
def test_nothing_is_shown_where_nothing_can_be(limit: float) -> None:
    rows = 1000 if limit == 0 else 0
    assert shown(falling(rows), np.zeros(rows), limit, 0.05).tolist() == []
    assert enough(falling(rows), np.zeros(rows), limit, 0.05) is None


@pytest.mark.parametrize(
    ("limit", "losses", "least"),
    [
        pytest.param(0.01, {1.0: 0.01}, 0.02, id="one of 100"),
        pytest.param(0.05, {1.0: 0.05}, 0.02, id="one of 20"),
        pytest.param(0.2, {1.0: 0.2}, 0.02, id="one of 5"),
        pytest.param(0.1, {1.0: 0.05, 0.25: 0.2}, 0.0, id="graded"),
    ],
)
def test_what_loses_the_limit_is_seldom_shown(limit: float, losses: dict[float, float], least: float) -> None:
    """All thresholds lose just what they must not; at least a share `least` shows that the level is not wasted."""
    random, draws = np.random.default_rng(0), 500
    values, shares = [0.0, *losses], [1 - sum(losses.values()), *losses.values()]
    drawn = random.choice(values, (draws, 1000), p=shares)
    false = np.mean([len(shown(falling(1000), row, limit, 0.05, graded=len(losses) > 1)) > 0 for row in drawn])
    print(f"losses {losses}, limit {limit}: falsely shown in {false:.3f} of {draws}")
    assert least <= false <= 0.07


def test_a_graded_loss_is_shown_to_be_small() -> None:
    losses = np.tile([0.2, 0.0, 0.0, 0.0], 500)  # 0.05 on average
    assert shown(falling(2000), losses, 0.1, 0.05, graded=True)[-1] > 1800
    assert shown(falling(2000), losses, 0.04, 0.05, graded=True).tolist() == []


def test_so_many_rows_would_be_enough() -> None:
    assert enough(falling(46), np.zeros(46), 0.01, 0.05) == pytest.approx(299, rel=0.06)
    assert enough(falling(19), np.zeros(19), 0.05, 0.05) is None, "19 say nothing of the rate"


def test_with_no_mistake_all_rows_are_shown_from_the_least_number_on() -> None:
    """More rows without a mistake never accept less."""
    for count in (299, 320, 450, 470, 600, 1000):
        assert shown(falling(count), np.zeros(count), 0.01, 0.05)[-1] == count


def test_so_many_rows_of_the_same_kind_are_enough() -> None:
    losses = np.tile([1.0] + [0.0] * 199, 2)  # one of 200, which is less than one of 100
    assert shown(falling(400), losses, 0.01, 0.05).tolist() == []
    rows = enough(falling(400), losses, 0.01, 0.05)
    assert rows is not None
    assert 400 < rows < 4000
    random, confidence = np.random.default_rng(0), falling(rows)
    share = np.mean([len(shown(confidence, random.choice(losses, rows), 0.01, 0.05)) > 0 for _ in range(200)])
    print(f"{rows} rows show it in {share:.2f} of 200 draws")
    assert share > 0.4  # an estimate without a margin is enough in about half of the cases


def test_no_number_is_enough_where_every_threshold_loses_too_much() -> None:
    assert enough(falling(400), np.tile([0.0, 1.0], 200), 0.05, 0.05) is None
    ties = np.ones(400)  # so that the right ones among them do not count first
    assert enough(ties, np.repeat([0.0, 1.0], [300, 100]), 0.05, 0.05) is None
