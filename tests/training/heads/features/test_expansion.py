"""`training.heads.features.expansion`: hinges and products of numeric columns."""

from __future__ import annotations

import numpy as np

from training.heads.features.expansion import fit_expansion

RANDOM = np.random.default_rng(0)


def test_hinges_and_products_are_of_numbers_with_deviation_one() -> None:
    columns = np.column_stack([RANDOM.normal(size=(400, 2)), np.arange(400) % 2]).astype(np.float32)
    expansion = fit_expansion(columns)
    assert expansion is not None
    assert expansion.hinged.tolist() == [0, 0, 0, 1, 1, 1]
    assert expansion.pairs.tolist() == [[0], [1]]
    added = expansion(columns)
    assert added.shape == (400, expansion.width) == (400, 7)
    np.testing.assert_allclose(added.std(0), 1, rtol=1e-4)
    np.testing.assert_allclose(added[:, 6], columns[:, 0] * columns[:, 1] * expansion.scale[6], rtol=1e-5)
    below = columns[:, 0] < np.quantile(columns[:, 0], 0.25) - 1e-4
    np.testing.assert_array_equal(added[below, 0], 0)


def test_columns_of_few_values_are_not_expanded() -> None:
    assert fit_expansion((np.arange(60).reshape(20, 3) % 3).astype(np.float32)) is None


def test_what_never_changes_is_multiplied_by_nothing() -> None:
    columns = np.zeros((100, 1), np.float32)
    columns[:4, 0] = [1e-9, 2e-9, 3e-9, 4e-9]
    expansion = fit_expansion(columns)
    assert expansion is not None
    np.testing.assert_array_equal(expansion(columns), 0)
