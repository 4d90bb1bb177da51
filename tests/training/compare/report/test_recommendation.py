"""What is recommended, by rows made for each rule and in simulations of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from tests.training.compare.made_rows import TEST_IMAGES, row, row_of
from training.compare.report.comparison_rows import Decision, Family, Row, by_merit
from training.compare.report.paired_intervals import Hits
from training.compare.report.recommendation import Ranking

TRUTH = {Family.PIXELS: 0.86, Family.HOG: 0.89, Family.HYBRID: 0.93}
TOO_BAD = ("a model on pixels", "a model on hand-made features")
SHARED = 0.7  # of the deviation of what decides about an answer: images are hard or easy for all models


def decide(*rows: Row, count: int = TEST_IMAGES, margin: float = 1.0) -> Decision:
    return Ranking(sorted(rows, key=by_merit), count, margin).decide()


def answers(
    accuracies: NDArray[np.float64], count: int, generator: np.random.Generator, *, shared: float = SHARED
) -> Hits:
    """Right and wrong answers of models to the same images, `[M, N]`."""
    difficulty = generator.normal(size=count)
    own = generator.normal(size=(len(accuracies), count))
    found: Hits = shared * difficulty + np.sqrt(1 - shared**2) * own < norm.ppf(accuracies)[:, None]
    return found


def simulate(runs: int, count: int, *, heads: int = 1, seeds: int = 1, noise: float = 0.0) -> tuple[float, float]:
    """How often a model is recommended that is too bad, and how often any is.

    Args:
        runs: simulations.
        count: test images.
        heads: models of each family, all of the family's accuracy.
        seeds: that each model is fitted with.
        noise: deviation of the true accuracy of a fit.
    """
    generator = np.random.default_rng(count)
    truth = np.repeat([TRUTH[family] for family in TRUTH for _ in range(heads)], seeds)
    families = [family for family in TRUTH for _ in range(heads)]
    chosen = []
    for _ in range(runs):
        noisy = truth + noise * generator.normal(size=len(truth))
        hits = answers(noisy.clip(0.01, 0.99), count, generator).reshape(len(families), seeds, count)
        names = [f"a model on {family}" + f" {index}" * (heads > 1) for index, family in enumerate(families)]
        rows = [row_of(family, each, name=name) for family, each, name in zip(families, hits, names, strict=True)]
        chosen.append(decide(*rows, count=count).recommended)
    bad = sum(name is not None and name.startswith(TOO_BAD) for name in chosen)
    return bad / runs, sum(name is not None for name in chosen) / runs


@pytest.mark.parametrize("count", [40, 1000])
def test_a_worse_model_is_hardly_ever_recommended(count: int) -> None:
    worse, any_ = simulate(100, count)
    print(f"{count} test images: a worse model in {worse:.1%}, any in {any_:.1%}")
    assert worse <= 0.05
    assert any_ < 0.2 if count == 40 else True
    assert any_ > 0.8 if count == 1000 else True


@pytest.mark.slow
@pytest.mark.parametrize("heads", [1, 6])
@pytest.mark.parametrize("count", [40, 100, 300, 1000, 10_000])
def test_a_worse_model_is_recommended_in_less_than_a_twentieth(count: int, heads: int) -> None:
    worse, any_ = simulate(1000 if heads == 1 else 200, count, heads=heads)
    print(f"{count} test images, {heads} models a family: a worse model in {worse:.1%}, any in {any_:.1%}")
    assert worse <= 0.05
    assert any_ > 0.8 if count >= 1000 and heads == 1 else True
    assert any_ > 0.5 if count >= 10_000 else True


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3])
def test_a_worse_model_is_hardly_ever_recommended_where_training_is_noisy(seeds: int) -> None:
    worse, any_ = simulate(500, 10_000, seeds=seeds, noise=0.01)
    print(f"10,000 test images, {seeds} seeds of deviation 1 point: a worse model in {worse:.1%}, any in {any_:.1%}")
    assert worse <= 0.05
    assert any_ > 0.05


def test_of_what_is_shown_to_be_as_good_the_simplest_is_recommended() -> None:
    found = decide(row(Family.HYBRID, 900), row(Family.PIXELS, 899), row(Family.HOG, 850))
    assert found == Decision(recommended="a model on pixels")


def test_a_model_that_only_seems_as_good_is_not_recommended() -> None:
    found = decide(row(Family.HYBRID, 900), row(Family.PIXELS, 899, first_wrong=500), row(Family.HOG, 700))
    assert found.recommended is None
    assert found.contenders == ("a model on pixels", "a model on hybrid")
    assert found.enough_images is not None
    assert 10_000 < found.enough_images < 1_000_000


def test_with_a_wider_margin_less_has_to_be_shown() -> None:
    rows = row(Family.HYBRID, 900), row(Family.PIXELS, 899, first_wrong=500)
    assert decide(*rows, margin=5.0).recommended == "a model on pixels"


@pytest.mark.parametrize(
    ("simple", "costly"),
    [
        (Family.COLUMNS, Family.PIXELS),
        (Family.PIXELS, Family.HOG),
        (Family.HOG, Family.PRETRAINED),
        (Family.PRETRAINED, Family.HYBRID),
        (Family.HYBRID, Family.HYBRID_COLUMNS),
        (Family.HYBRID, Family.NETWORK),
        (Family.HYBRID_COLUMNS, Family.NETWORK),
    ],
)
def test_families_are_simpler_or_less_so(simple: Family, costly: Family) -> None:
    assert decide(row(costly, 900), row(simple, 899)).recommended == f"a model on {simple}"


def test_a_costly_family_that_is_better_is_recommended_all_the_same() -> None:
    found = decide(row(Family.NETWORK, 950), row(Family.HYBRID, 850), row(Family.PIXELS, 700))
    assert found.recommended == "a model on network alone"


def test_the_more_models_might_be_recommended_the_more_has_to_be_shown() -> None:
    rows = row(Family.HYBRID, 900), row(Family.PIXELS, 900, first_wrong=90)
    assert decide(*rows, margin=3.0).recommended == "a model on pixels"
    crowd = [row(Family.HYBRID, 700, name=f"head {index}") for index in range(30)]
    assert decide(*rows, *crowd, margin=3.0).recommended is None


def test_where_another_seed_changes_much_more_images_are_not_enough() -> None:
    steady = np.stack([row(Family.PIXELS, 900).hits(TEST_IMAGES)[0]] * 2)
    shaky = np.concatenate([row(Family.HYBRID, right).hits(TEST_IMAGES) for right in (850, 950)])
    found = decide(row_of(Family.PIXELS, steady), row_of(Family.HYBRID, shaky))
    assert found.recommended is None
    assert found.enough_images is None


def test_seeds_are_spent_on_the_best_of_each_family_and_on_what_may_be_the_best() -> None:
    rows = [
        row(Family.HYBRID, 900, name="best"),
        row(Family.HYBRID, 895, name="close", first_wrong=500),
        row(Family.HYBRID, 700, name="bad"),
        row(Family.PIXELS, 650, name="best on pixels"),
        row(Family.PIXELS, 600, name="bad on pixels"),
    ]
    assert [each.name for each in Ranking(rows, TEST_IMAGES).in_reach()] == ["best", "close", "best on pixels"]
