"""Intervals of paired shares, against published ones and against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.compare.report.paired_intervals import (
    Hits,
    Noise,
    accuracy_interval,
    difference,
    enough_images,
    noise_of,
    tango_limits,
)

NONE = Noise()


def hits(right: int, count: int = 1000, first_wrong: int = 0, seeds: int = 1) -> Hits:
    found = np.ones(count, np.bool_)
    found[(first_wrong + np.arange(count - right)) % count] = False
    return np.tile(found, (seeds, 1))


@pytest.mark.parametrize(
    ("ours", "theirs", "count", "low", "high"),
    [(0, 0, 44, -0.0803, 0.0803), (44, 0, 44, 0.8394, 1.0), (9, 5, 32, -0.1088, 0.3460)],
    ids=["nothing tells them apart", "one is always right, the other never", "nine against five"],
)
def test_limits_are_those_of_tango(ours: int, theirs: int, count: int, low: float, high: float) -> None:
    """Computed by hand from the score equation; the first is Newcombe's (1998) z^2 / (n + z^2)."""
    assert tango_limits(ours, theirs, count, 0.025) == pytest.approx((low, high), abs=1e-4)
    mirrored = tango_limits(theirs, ours, count, 0.025)
    assert mirrored == pytest.approx((-high, -low), abs=1e-4)


@pytest.mark.parametrize(("count", "apart"), [(40, 0.3), (100, 0.1), (300, 0.05)])
def test_the_low_limit_is_above_the_truth_as_rarely_as_it_says(count: int, apart: float) -> None:
    generator = np.random.default_rng(0)
    truth = -0.5 * apart
    cells = generator.multinomial(count, [apart / 4, 3 * apart / 4, 1 - apart], size=4000)
    missed = np.mean([tango_limits(ours, theirs, count, 0.025)[0] > truth for ours, theirs, _ in cells])
    print(f"{count} images, {apart:.0%} apart: missed in {missed:.2%}")
    assert 0.002 < missed < 0.04


def test_the_same_accuracies_on_other_images_can_be_chance() -> None:
    """900 and 885 right: 15 images of a difference, in which 15 or 215 images are at odds."""
    assert not difference(hits(900), hits(885), 0.025, NONE).is_chance
    assert difference(hits(900), hits(885, first_wrong=500), 0.025, NONE).is_chance


def test_noise_of_training_widens_the_limits_unless_every_seed_answers_alike() -> None:
    plain = difference(hits(900), hits(880), 0.025, NONE)
    noisy = difference(hits(900), hits(880), 0.025, Noise(0.01**2, 2))
    assert noisy.points == plain.points
    assert noisy.low < plain.low - 1
    steady = difference(hits(900, seeds=3), hits(880, seeds=3), 0.025, Noise(0.01**2, 2))
    assert (steady.low, steady.high) == (plain.low, plain.high)


def test_noise_is_that_of_the_pair_of_models_that_has_most() -> None:
    still, shaky = hits(900, seeds=2), np.concatenate([hits(880), hits(920)])
    found = noise_of([still, shaky, hits(800)])
    assert found.variance == pytest.approx(0.04**2 / 2)
    assert found.freedom == 1
    assert noise_of([still, hits(800)]).variance == 0


def test_the_accuracy_of_few_images_is_uncertain_even_if_all_are_right() -> None:
    found = accuracy_interval(hits(40, 40))
    assert found.high == 100
    assert found.low == pytest.approx(100 * 0.025 ** (1 / 40))
    both = accuracy_interval(np.concatenate([hits(900), hits(860)]))
    assert both.low < accuracy_interval(hits(880)).low - 1


def test_as_many_images_are_enough_as_show_it_in_four_of_five_cases() -> None:
    margin, generator = 0.01, np.random.default_rng(1)
    ours, theirs = hits(900), hits(900, first_wrong=40)
    count = math.ceil(enough_images(ours, theirs, 0.05, NONE, margin))
    cells = generator.multinomial(count, [0.04, 0.04, 0.92], size=400)
    shown = np.mean([tango_limits(one, other, count, 0.05)[0] > -margin for one, other, _ in cells])
    print(f"{count} images: shown in {shown:.1%}")
    assert 0.75 < shown < 0.87


def test_no_number_of_images_shows_that_a_worse_model_is_as_good_or_outweighs_noise() -> None:
    assert enough_images(hits(880), hits(900), 0.05, NONE, 0.01) == math.inf
    assert enough_images(hits(900), hits(900, first_wrong=40), 0.05, Noise(0.05**2, 1), 0.01) == math.inf
