from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from feedback.statistics.paired_test import paired_p_value

ROWS = 2_000
MARGIN = 0.003


def passes(difference: float, discordant: float, simulations: int, seed: int, margin: float = MARGIN) -> float:
    """Share of simulations in which the loss of the margin is ruled out at 5 %."""
    p_value = cache(lambda lost, won: paired_p_value(lost, won, ROWS, margin))
    chances = [(discordant - difference) / 2, (discordant + difference) / 2, 1 - discordant]
    drawn = np.random.default_rng(seed).multinomial(ROWS, chances, simulations).tolist()
    return float(np.mean([p_value(lost, won) <= 0.05 for lost, won, _ in drawn]))


@pytest.mark.slow
@pytest.mark.parametrize("discordant", [0.03, 0.04, 0.05])
def test_half_a_point_worse_passes_in_5_percent_a_point_better_in_80(discordant: float) -> None:
    worse, equal, better = (passes(difference, discordant, 500, 1) for difference in (-0.005, 0.0, 0.01))
    print(f"discordant {discordant}: worse passes {worse}, equal {equal}, better {better}")
    assert worse <= 0.05, f"half a point worse passed in {worse:.3f}"
    assert better >= 0.80, f"a point better passed in {better:.3f}"


@pytest.mark.slow
@pytest.mark.parametrize("discordant", [0.005, 0.02, 0.04, 0.1])
def test_a_loss_of_exactly_the_margin_passes_in_5_percent(discordant: float) -> None:
    rate = passes(-MARGIN, discordant, 1_000, 2)
    assert rate <= 0.05 + 2.33 * np.sqrt(0.05 * 0.95 / 1_000), f"passed in {rate:.3f}"


def test_worse_candidates_rarely_pass_and_better_ones_do() -> None:
    assert passes(-0.005, 0.04, 100, 3) <= 0.05
    assert passes(0.01, 0.04, 100, 3) >= 0.80


def test_equal_models_on_many_rows_pass_and_on_few_do_not() -> None:
    assert paired_p_value(400, 400, 100_000, MARGIN) < 0.01
    assert paired_p_value(8, 8, 1_000, MARGIN) > 0.05


def test_without_a_difference_it_takes_a_thousand_rows_to_rule_the_margin_out() -> None:
    assert paired_p_value(0, 0, 500, MARGIN) > 0.05
    assert paired_p_value(0, 0, 1_200, MARGIN) < 0.05


def test_without_a_margin_it_is_about_mcnemars_exact_test() -> None:
    assert paired_p_value(4, 18, 2_000, 0.0) == pytest.approx(0.0022, abs=0.002)


def test_nothing_is_ruled_out_without_rows() -> None:
    assert paired_p_value(0, 0, 0, MARGIN) == 1


def test_more_wins_make_the_p_value_smaller() -> None:
    values = [paired_p_value(20, won, 1_000, MARGIN) for won in (5, 15, 25, 45)]
    assert values == sorted(values, reverse=True)
