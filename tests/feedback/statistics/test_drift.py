from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from feedback.statistics.drift import HIGHEST_RATE, LOWEST_RATE, REFERENCE, DriftVerdict, alarm_rate, drift
from tests.cpu_cost import relative_cost
from tests.feedback.clothes import Clothes

WINDOW = 500
DAILY = 1 / 30
"""Rate of false alarms in windows of a day, if there is one in 30 days."""
Rows = NDArray[np.int64]
Drawn = tuple[NDArray[np.float32], NDArray[np.object_]]
"""Embeddings, and what the head calls them."""
Window = Callable[[Clothes, Rows, np.random.Generator], Drawn]


def ordinary(clothes: Clothes, rows: Rows, random: np.random.Generator) -> Drawn:
    return clothes.embedding[rows[:WINDOW]], clothes.named[rows[:WINDOW]]


def with_digits(clothes: Clothes, rows: Rows, random: np.random.Generator) -> Drawn:
    """Each tenth row is a digit."""
    embedding = clothes.embedding[rows[:WINDOW]].copy()
    embedding[::10] = random.permutation(clothes.digits)[: WINDOW // 10]
    return embedding, clothes.named[rows[:WINDOW]]


def darker(clothes: Clothes, rows: Rows, random: np.random.Generator) -> Drawn:
    return clothes.dark[rows[:WINDOW]], clothes.named[rows[:WINDOW]]


def one_class_doubled(clothes: Clothes, rows: Rows, random: np.random.Generator) -> Drawn:
    """One class, another one each time, is twice as frequent."""
    weight = np.where(clothes.labels[rows] == random.integers(10), 2.0, 1.0)
    taken = random.choice(rows, WINDOW, replace=False, p=weight / weight.sum())
    return clothes.embedding[taken], clothes.named[taken]


def verdicts(clothes: Clothes, window: Window, count: int, rate: float, each_reference: int = 10) -> list[DriftVerdict]:
    """Windows against references of which each is used several times."""
    random, found = np.random.default_rng(0), []
    for number in range(count):
        if number % each_reference == 0:
            reference, others = np.split(random.permutation(len(clothes.embedding)), [REFERENCE])
        rows, named = window(clothes, random.permutation(others), random)
        columns = {"label": np.concatenate([clothes.named[reference], named])}
        embedding = np.concatenate([clothes.embedding[reference], rows])
        found.append(drift(embedding, columns, window=WINDOW, rate=rate, seed=number))
    return found


def within_3_windows(found: list[DriftVerdict]) -> float:
    alarms = np.array([each.alarm for each in found])
    return float(alarms[: len(alarms) // 3 * 3].reshape(-1, 3).any(axis=1).mean())


@pytest.mark.parametrize(
    "windows", [pytest.param(30, id="30 windows"), pytest.param(1_000, id="1,000 windows", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("rate", [DAILY, 0.01])
def test_false_alarms_are_as_rare_as_stated(clothes: Clothes, windows: int, rate: float) -> None:
    found = verdicts(clothes, ordinary, windows, rate)
    alarms, stated = sum(each.alarm for each in found), windows * found[0].rate
    print(f"{alarms} false alarms in {windows} windows, {stated:.1f} stated")
    assert found[0].rate <= rate
    assert alarms <= stated + 2.33 * np.sqrt(stated), f"{alarms} false alarms, {stated:.1f} stated"


@pytest.mark.parametrize(
    "windows", [pytest.param(12, id="12 windows"), pytest.param(150, id="150 windows", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("window", [with_digits, darker, one_class_doubled])
def test_drift_is_found_within_3_windows(clothes: Clothes, window: Window, windows: int) -> None:
    found = verdicts(clothes, window, windows, DAILY, each_reference=3)
    print(f"{window.__name__}: found in {np.mean([each.alarm for each in found]):.3f} of single windows")
    assert within_3_windows(found) >= 0.9, f"found in {within_3_windows(found):.3f}"


def test_the_digits_are_named_as_what_is_new(clothes: Clothes) -> None:
    found = verdicts(clothes, with_digits, 5, DAILY)
    share = np.mean([each.new % 10 == 0 for each in found])
    assert share >= 0.9, f"{share:.2f} of the named rows are digits"


def test_a_column_that_changes_is_named_first() -> None:
    random = np.random.default_rng(0)
    price = np.concatenate([random.normal(20, 5, 2_000), random.normal(20, 8, 500)])
    columns = {"price": price, "shop": np.array(["a", "b", None], object)[np.arange(2_500) % 3]}
    verdict = drift(None, columns, window=500, rate=0.01)
    assert verdict.alarm
    assert next(iter(verdict.parts)) == "column price"


def test_values_that_go_missing_are_drift() -> None:
    random = np.random.default_rng(0)
    price = random.normal(size=2_500)
    price[2_000::20] = np.nan
    assert drift(None, {"price": price}, window=500, rate=0.001).alarm


def test_rows_that_are_all_the_same_are_no_drift() -> None:
    columns = {"a": np.ones(1_000), "b": np.full(1_000, "x", object)}
    assert not drift(np.ones((1_000, 8), np.float32), columns, window=500, rate=0.05).alarm


def test_the_rate_is_that_of_the_windows_within_what_permutations_resolve() -> None:
    assert alarm_rate(1, 30) == pytest.approx(1 / 30)
    assert alarm_rate(1e-6, 30) == LOWEST_RATE
    assert alarm_rate(30, 30) == HIGHEST_RATE


@pytest.mark.alone
def test_a_window_takes_a_fraction_of_a_second(clothes: Clothes) -> None:
    def compare() -> None:
        drift(clothes.embedding[:2_500], {}, window=500, rate=DAILY)

    cost = relative_cost(compare, rounds=3)
    print(f"a window: {cost:,.0f} small JSON")
    assert cost < 70_000  # half a second on the processor at hand
