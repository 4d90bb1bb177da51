"""`training.heads.features.preparation`: an embedding on one scale, and columns that weigh what they are told to."""

from __future__ import annotations

import numpy as np

from training.heads.features.preparation import Preparation, fit_scaling

RANDOM = np.random.default_rng(0)
FEATURES = (RANDOM.normal(5, 1, (200, 4)) * [1, 2, 4, 8]).astype(np.float32)


def test_one_number_divides_an_embedding_and_the_weight_multiplies_columns() -> None:
    scaling = fit_scaling(Preparation(scaling="one", weight=10.0), FEATURES, 3)
    assert scaling is not None
    scaled = scaling(FEATURES)
    np.testing.assert_allclose(scaled[:, :3].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(np.square(scaled[:, :3]).mean(), 1, rtol=1e-5)
    np.testing.assert_allclose(
        scaled[:, 2].std() / scaled[:, 0].std(), FEATURES[:, 2].std() / FEATURES[:, 0].std(), 1e-5
    )
    np.testing.assert_allclose(scaled[:, 3], 10 * FEATURES[:, 3], rtol=1e-6)
    assert scaling.size.tolist() == [1, 1, 1, 10]


def test_each_element_may_be_divided_by_its_own_deviation() -> None:
    scaling = fit_scaling(Preparation(scaling="each"), FEATURES, 4)
    assert scaling is not None
    np.testing.assert_allclose(scaling(FEATURES).std(0), 1, rtol=1e-5)


def test_a_flat_element_stays_finite() -> None:
    for name in ("one", "each"):
        scaling = fit_scaling(Preparation(scaling=name), np.full((5, 2), 7, np.float32), 2)
        assert scaling is not None
        np.testing.assert_array_equal(scaling(np.full((5, 2), 7, np.float32)), 0)


def test_nothing_to_do_is_no_scaling() -> None:
    assert fit_scaling(Preparation(), FEATURES, 4) is None
