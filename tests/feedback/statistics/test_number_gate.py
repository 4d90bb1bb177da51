from __future__ import annotations

import numpy as np
import pytest

from feedback.statistics.number_gate import number_gate, number_p_value


def passes(factor: float, simulations: int = 200, rows: int = 500, *, mistyped: int = 0) -> float:
    """Share of simulations that pass if the candidate's errors, skewed ones, are larger by a factor on average.

    Both are far off where an answer is mistyped.
    """
    random = np.random.default_rng(0)
    passed = 0
    for _ in range(simulations):
        hardness = random.exponential(1, rows)
        champion, candidate = hardness * random.gamma(4, 0.25, (2, rows))
        candidate *= factor
        champion[:mistyped] += 1e6
        candidate[:mistyped] += 1e6
        passed += number_gate(champion, candidate, margin=0.05).passed
    return passed / simulations


@pytest.mark.parametrize(("factor", "mistyped"), [(1.05, 0), (1.1, 1), (1.1, 10)])
def test_a_candidate_that_loses_the_margin_passes_in_5_percent(factor: float, mistyped: int) -> None:
    rate = passes(factor, mistyped=mistyped)
    assert rate <= 0.05 + 2.33 * np.sqrt(0.05 * 0.95 / 200), f"passed in {rate:.3f}"


@pytest.mark.parametrize("mistyped", [0, 1, 10])
def test_a_better_candidate_passes(mistyped: int) -> None:
    rate = passes(0.92, mistyped=mistyped)
    assert rate >= 0.8, f"passed in {rate:.3f}"


def test_the_sentence_has_the_figures() -> None:
    errors = np.random.default_rng(0).exponential(1, 400)
    verdict = number_gate(errors, errors * 0.8)
    assert verdict.passed
    assert verdict.reasons == ()
    assert verdict.sentence == (
        f"passed: the candidate's mean error on 400 rows is {0.8 * errors.mean():.4g} where the champion's is "
        f"{errors.mean():.4g}; 5 % more is ruled out (p = {verdict.p_value:.3f})"
    )


def test_one_row_rules_nothing_out() -> None:
    assert number_p_value([1.0], [0.0], 0.05) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("far", [1e39, 1e155, 1e308, np.inf, np.nan])
def test_errors_that_no_number_of_a_head_can_have_rule_nothing_out(far: float) -> None:
    errors = np.random.default_rng(0).exponential(1, 400)
    broken = np.where(np.arange(400) == 7, far, errors)
    for champion, candidate in ((errors, broken * 0.8), (broken, errors * 0.8)):
        verdict = number_gate(champion, candidate)
        assert not verdict.passed
        assert verdict.p_value == 1
        assert verdict.sentence.startswith("refused: ")


@pytest.mark.filterwarnings("error")
def test_one_error_that_both_share_hides_nothing_however_large_it_is() -> None:
    errors = np.random.default_rng(0).exponential(1, 400)
    for far in (1e6, 1e38, 1e308):
        champion, better, worse = (np.where(np.arange(400) == 7, far, errors * by) for by in (1, 0.8, 1.2))
        assert number_gate(champion, better).passed
        assert not number_gate(champion, worse).passed
