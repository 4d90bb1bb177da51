"""`training.quantization.rounding`: 8-bit weights whose errors make good for one another."""

from __future__ import annotations

import numpy as np
import pytest

from training.quantization.rounding import Floats, round_weights


def related_inputs(count: int, width: int, groups: int = 1) -> Floats:
    """Inputs `[G, K, N]` of which a few things are behind all, as in a network."""
    dice = np.random.default_rng(0)
    hidden = dice.normal(size=(groups, 3, count))
    return dice.normal(size=(groups, width, 3)) @ hidden + 0.05 * dice.normal(size=(groups, width, count))


def covariance_of(inputs: Floats) -> Floats:
    centred = inputs - inputs.mean(2, keepdims=True)
    return np.asarray(centred @ centred.transpose(0, 2, 1) / inputs.shape[2])


def weights(groups: int, outputs: int, width: int) -> Floats:
    return np.random.default_rng(1).normal(size=(groups, outputs, width))


def test_levels_are_within_the_largest_and_scales_fit_each_output() -> None:
    levels, scale = round_weights(weights(1, 5, 30), np.eye(30)[None], 64)
    assert levels.dtype == np.int8
    assert (levels.shape, scale.shape) == ((1, 5, 30), (1, 5, 1))
    np.testing.assert_array_equal(np.abs(levels).max(2), 64)


def test_where_inputs_are_unrelated_each_weight_is_rounded_to_the_nearest_level() -> None:
    given = weights(1, 4, 20)
    levels, scale = round_weights(given, np.diag(np.arange(1.0, 21.0))[None], 127)
    np.testing.assert_array_equal(levels, np.rint(given / scale))


@pytest.mark.parametrize("groups", [1, 4], ids="{} groups".format)
def test_where_inputs_are_related_the_product_errs_less_than_by_rounding_to_the_nearest(groups: int) -> None:
    inputs, given = related_inputs(500, 25, groups), weights(groups, 6, 25)
    levels, scale = round_weights(given, covariance_of(inputs), 64)
    nearest = np.rint(given / scale) * scale
    error = np.linalg.norm((levels * scale - given) @ inputs)
    assert error < 0.4 * np.linalg.norm((nearest - given) @ inputs)


def test_weights_and_inputs_of_nothing_give_zeros_and_a_scale() -> None:
    levels, scale = round_weights(np.zeros((1, 2, 9)), np.zeros((1, 9, 9)), 127)
    assert not levels.any()
    assert (scale > 0).all()


def test_a_covariance_of_too_few_images_is_no_obstacle() -> None:
    levels, _ = round_weights(weights(1, 4, 50), covariance_of(related_inputs(2, 50)), 127)
    assert np.abs(levels).max() == 127
