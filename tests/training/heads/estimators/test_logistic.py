"""`training.heads.estimators.logistic`: the optimum is that of scikit-learn, with weights of rows and a size for each
feature."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from training.arrays import Features
from training.heads.estimators.logistic import fit_logistic


def problem(classes: int, rows: int, width: int) -> tuple[Features, NDArray[np.int64]]:
    random = np.random.default_rng(0)
    labels = np.arange(rows) % classes
    features = random.normal(0, 1, (rows, width)).astype(np.float32)
    features[np.arange(rows), labels] += 1
    return features, labels


def loss(
    model: LogisticRegression, features: Features, labels: NDArray[np.int64], weights: NDArray[np.float64]
) -> float:
    """What scikit-learn minimizes, divided by C."""
    own = model.predict_log_proba(features.astype(np.float64))[np.arange(len(labels)), labels]
    return float(-(weights * own).sum() + np.square(model.coef_).sum() / (2 * model.C)) / len(labels)


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize(
    ("rows", "width"),
    [pytest.param(400, 12, id="long"), pytest.param(60, 80, id="wide")],
)
@pytest.mark.parametrize("is_weighted", [False, True], ids=["rows weigh the same", "rows weigh what they weigh"])
@pytest.mark.parametrize("heavy", [1.0, 30.0], ids=["features of one size", "features of two sizes"])
def test_the_loss_is_the_least(classes: int, rows: int, width: int, is_weighted: bool, heavy: float) -> None:
    features, labels = problem(classes, rows, width)
    size = np.ones(width, np.float32)
    size[-2:] = heavy
    features *= size
    weights = np.where(labels == 0, 3.0, 0.5) if is_weighted else np.ones(rows)
    model = LogisticRegression(C=0.1)
    fit_logistic(model, features, labels, size, weights=weights if is_weighted else None)
    exact = LogisticRegression(C=0.1, solver="newton-cg", tol=1e-6, max_iter=1000)
    exact.fit(features.astype(np.float64), labels, sample_weight=weights)
    least = loss(exact, features, labels, weights)
    assert least - 1e-6 <= loss(model, features, labels, weights) <= least + 2e-4
    assert np.abs(model.predict_proba(features) - exact.predict_proba(features)).max() < 0.02


def test_from_the_optimum_there_are_hardly_any_steps() -> None:
    features, labels = problem(3, 600, 12)
    size, first, again = np.ones(12, np.float32), LogisticRegression(C=0.1), LogisticRegression(C=0.1)
    fit_logistic(first, features, labels, size)
    begin = np.vstack([first.coef_.T, first.intercept_]).astype(np.float64)
    fit_logistic(again, features, labels, size, begin=begin)
    assert again.n_iter_[0] <= 2 < first.n_iter_[0]
    np.testing.assert_allclose(again.coef_, first.coef_, atol=5e-3)


def test_features_that_are_sums_of_others_are_fitted_with_hardly_any_penalty() -> None:
    features, labels = problem(3, 4000, 12)
    sums = np.hstack([features, features @ np.random.default_rng(1).normal(0, 1, (12, 12)).astype(np.float32)])
    size, model = np.full(24, 100, np.float32), LogisticRegression(C=1000.0)
    fit_logistic(model, sums * size, labels, size)
    exact = LogisticRegression(C=1000.0, solver="newton-cg", tol=1e-6, max_iter=1000).fit(features, labels)
    difference = model.predict_proba(sums * size) - exact.predict_proba(features)
    assert np.abs(difference).max() < 0.02
