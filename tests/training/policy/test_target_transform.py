"""Whether numbers are told through their logarithms."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from training.exceptions import DataError
from training.policy.target_transform import better_transform, transforms


@pytest.mark.parametrize(
    ("labels", "asked", "tried"),
    [
        pytest.param([1.0, 2.0], "auto", ("none", "log"), id="both where all numbers are above 0"),
        pytest.param([0.0, 2.0], "auto", ("none",), id="the numbers themselves where one is 0"),
        pytest.param([-1.0, 2.0], "none", ("none",), id="the numbers themselves where that is asked for"),
        pytest.param([1.0, 2.0], "log", ("log",), id="the logarithm where that is asked for"),
    ],
)
def test_what_is_tried(labels: list[float], asked: Literal["log", "none", "auto"], tried: tuple[str, ...]) -> None:
    assert transforms(np.array(labels), asked) == tried


def test_the_logarithm_of_what_is_not_above_0_is_refused_with_number_and_count() -> None:
    with pytest.raises(DataError, match=r"^--target-transform log: 2 of 4 numbers are not above 0, the first .* -3;"):
        transforms(np.array([1.0, -3.0, 0.0, 2.0]), "log")


def chosen(rows: int, *, seeds: int, is_price: bool) -> float:
    """Share of data sets for which the logarithm is chosen; heads say what can be known."""
    found = []
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        known, noise = random.normal(size=rows), random.normal(size=rows)
        labels = np.exp(3 + known + 0.4 * noise) if is_price else 50 + 5 * known + 2 * noise
        plain = 24 * np.exp(known) if is_price else 50 + 5 * known
        found.append(better_transform(labels, plain, 20 * np.exp(known) if is_price else plain) == "log")
    return float(np.mean(found))


@pytest.mark.parametrize("rows", [50, 1000])
def test_prices_are_told_through_the_logarithm(rows: int) -> None:
    assert chosen(rows, seeds=50, is_price=True) > 0.95


@pytest.mark.parametrize("rows", [50, 1000])
def test_lengths_with_an_error_of_one_size_are_not(rows: int) -> None:
    assert chosen(rows, seeds=200, is_price=False) <= 0.08  # 1 of 20 by chance, if both did equally well


def test_one_row_decides_nothing() -> None:
    one = np.ones(1)
    assert better_transform(one, one, one) == "none"


def test_heads_that_are_always_right_leave_the_numbers_as_they_are() -> None:
    labels = np.array([0.5, 1.0, 2.0])
    assert better_transform(labels, labels, labels) == "none"
