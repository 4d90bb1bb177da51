from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from feedback.statistics.beta_distribution import beta_cdf, beta_quantile, binomial_cdf, rate_bounds


def test_the_distribution_function_agrees_with_scipy_for_small_and_large_parameters() -> None:
    random = np.random.default_rng(0)
    a, b = 10 ** random.uniform(-1, 5, (2, 1000))
    spread = np.sqrt(a * b / (a + b + 1)) / (a + b)
    x = np.clip(a / (a + b) + 2 * spread * random.standard_normal(1000), 0, 1)
    assert np.abs(beta_cdf(x, a, b) - stats.beta.cdf(x, a, b)).max() < 1e-8


def test_quantiles_agree_with_scipy() -> None:
    for a, b, level in [(0.5, 0.5, 0.3), (1, 300, 0.95), (2.5, 7000.5, 0.025), (400, 3, 0.9)]:
        assert beta_quantile(level, a, b) == pytest.approx(stats.beta.ppf(level, a, b), abs=1e-9)


def test_binomial_probabilities_agree_with_scipy_outside_the_range_too() -> None:
    counts = np.arange(-1, 13)
    assert binomial_cdf(counts, 11, 0.3) == pytest.approx(stats.binom.cdf(counts, 11, 0.3), abs=1e-12)


def test_bounds_of_a_rate_are_those_of_clopper_and_pearson() -> None:
    expected = stats.binomtest(3, 50).proportion_ci(0.9, "exact")
    assert rate_bounds(3, 50, 0.05) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_without_an_error_the_bound_is_that_of_the_power() -> None:
    assert rate_bounds(0, 299, 0.05) == pytest.approx((0, 1 - 0.05 ** (1 / 299)), abs=1e-9)


def test_nothing_is_known_without_rows() -> None:
    assert rate_bounds(0, 0, 0.05) == (0, 1)
