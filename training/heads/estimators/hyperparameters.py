"""`Size` ──▶ unfitted estimators of scikit-learn, XGBoost and LightGBM, with settings that suit embeddings."""

from __future__ import annotations

import importlib
from typing import Any

from sklearn.linear_model import LogisticRegression, Ridge

from training.heads.estimators.boosted import Boosted
from training.heads.kind import Maker, Size

STRENGTHS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""C of logistic regression, from a strong penalty to almost none. Some hundred rows of a wide embedding need a strong
one, 60,000 rows of a narrow embedding a weak one."""
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
"""Alpha of ridge regression."""
NEIGHBOURS = 15
_FOREST_LEAVES = 128  # of each of 100 trees: some 3 MB of graph for ten classes


def logistic(strength: float) -> Maker:
    """Logistic regression with C."""
    return lambda _: LogisticRegression(C=strength)


def ridge(strength: float) -> Maker:
    """Ridge regression with alpha."""
    return lambda _: Ridge(alpha=strength)


def boosted(_: Size) -> Boosted:
    """Trees on a linear model, neither of them fitted yet."""
    return Boosted()


def tree(size: Size) -> dict[str, Any]:
    """Settings of one decision tree."""
    return {"max_leaf_nodes": 256, "min_samples_leaf": size.smallest_leaf, "random_state": size.seed}


def forest(size: Size) -> dict[str, Any]:
    """Settings of a random forest."""
    leaf = max(1, size.smallest_leaf // 4)
    common = {"n_estimators": 100, "max_leaf_nodes": _FOREST_LEAVES, "n_jobs": -1}
    return {**common, "min_samples_leaf": leaf, "random_state": size.seed}


def neighbours(size: Size) -> dict[str, Any]:
    """Settings of nearest neighbours."""
    return {"n_neighbors": max(1, min(NEIGHBOURS, size.rows // 4)), "algorithm": "brute"}


def boosting(size: Size) -> dict[str, Any]:
    """Settings of scikit-learn's gradient boosting: shallow, slow and regularized.

    On embeddings trees of 8 leaves gave a log loss of 0.170 on validation images, and trees of 15 leaves 0.187
    (Fashion-MNIST, 20 epochs).
    """
    return {
        "max_iter": 100,
        "learning_rate": 0.08,
        "max_leaf_nodes": 8,
        "min_samples_leaf": size.smallest_leaf,
        "l2_regularization": 5.0,
        "early_stopping": False,
        "random_state": size.seed,
    }


def xgboost(name: str) -> Maker:
    """XGBoost's class of this name; the package is imported when the estimator is made."""
    common = {"n_estimators": 100, "learning_rate": 0.1, "max_depth": 3, "reg_lambda": 5.0, "n_jobs": 0}
    return lambda size: getattr(importlib.import_module("xgboost"), name)(**common, random_state=size.seed)


def lightgbm(name: str) -> Maker:
    """LightGBM's class of this name; the package is imported when the estimator is made."""
    common = {"n_estimators": 100, "learning_rate": 0.08, "num_leaves": 8, "reg_lambda": 5.0, "verbose": -1}
    return lambda size: getattr(importlib.import_module("lightgbm"), name)(
        **common, min_child_samples=size.smallest_leaf, random_state=size.seed, n_jobs=0
    )
