"""What is expected of a row, and what the networks get."""

from __future__ import annotations

import pytest

from training.compare.budget import KERNEL, LINEAR, Budget, Cost, expected_seconds, network_seconds


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_budget_counts_from_its_start() -> None:
    clock = Clock()
    budget = Budget(60, clock)
    clock.now += 45
    assert budget.spent() == 45
    assert budget.left() == 15
    clock.now += 45
    assert budget.left() == -30


def test_a_fit_is_expected_to_grow_with_its_rows_and_its_test_is_not() -> None:
    assert expected_seconds([Cost(100, 2.0, 1.0)], 1000, LINEAR) == pytest.approx(2 * 10**LINEAR + 1)


def test_a_model_that_keeps_its_rows_is_tested_more_slowly_too() -> None:
    assert expected_seconds([Cost(10_000, 2.0, 1.0)], 60_000, KERNEL) == pytest.approx(2 * 6**KERNEL + 6**0.8)


def test_with_few_rows_no_fit_grows_faster_than_linearly() -> None:
    expected = 2 * 5**LINEAR * 2**KERNEL
    assert expected_seconds([Cost(1000, 2.0, 0.0)], 10_000, KERNEL) == pytest.approx(expected)


def test_what_two_sizes_tell_counts_more_than_the_rule() -> None:
    flat = [Cost(100, 2.0, 1.0), Cost(1000, 2.2, 1.0)]
    assert expected_seconds(flat, 10_000, LINEAR) < expected_seconds(flat[1:], 10_000, LINEAR) / 2
    assert expected_seconds(flat, 10_000, LINEAR) > 2.2 * 3


def test_a_fit_on_as_many_rows_costs_as_much() -> None:
    assert expected_seconds([Cost(10_000, 4.0, 1.0)], 10_000, LINEAR) == 5


def test_networks_get_half_of_the_budget_the_largest_most_of_it() -> None:
    shares = network_seconds([100, 1000, 10_000, 60_000], 900)
    assert sum(shares.values()) == pytest.approx(450)
    assert shares[60_000] > 300 > shares[10_000] > shares[1000] > shares[100] > 5
