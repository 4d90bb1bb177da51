"""When requests are due."""

from itertools import pairwise

import pytest

from loadtests.load.arrivals import NS_PER_S, SPACINGS, even, poisson


def test_independent_callers_come_at_the_rate_and_not_at_equal_distances() -> None:
    dues_ns = poisson(1000.0, 10.0, seed=1)
    gaps_s = [(later - earlier) / NS_PER_S for earlier, later in pairwise(dues_ns)]
    assert len(dues_ns) == pytest.approx(10_000, rel=0.05)
    share_within_a_tenth = sum(gap < 0.0001 for gap in gaps_s) / len(gaps_s)
    assert share_within_a_tenth == pytest.approx(0.095, abs=0.02)  # 1 - exp(-0.1)


def test_the_same_seed_gives_the_same_moments() -> None:
    assert poisson(50.0, 2.0, seed=7) == poisson(50.0, 2.0, seed=7)
    assert poisson(50.0, 2.0, seed=7) != poisson(50.0, 2.0, seed=8)


def test_even_moments_are_a_gap_apart_and_all_before_the_end() -> None:
    assert even(4.0, 1.0) == [NS_PER_S // 4, NS_PER_S // 2, 3 * NS_PER_S // 4]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_moments_ascend_and_end_in_time(spacing: str) -> None:
    dues_ns = SPACINGS[spacing](200.0, 1.0, 3)
    assert dues_ns == sorted(dues_ns)
    assert dues_ns[-1] < NS_PER_S
