"""labelled embeddings ──▶ a linear head, fitted anew after each batch of answers.

The only file of the room that needs scikit-learn; it is imported when a simulation runs, never by a server.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_INVERSE_PENALTY = 0.125  # of embeddings with a root mean square of 1
_ROUNDS = 1_000

Floats = NDArray[np.float64]


def probabilities(
    embedding: NDArray[Any], labels: NDArray[np.int64], others: NDArray[Any], classes: int
) -> NDArray[np.float64]:
    """Fits a logistic regression, and applies it to other rows.

    Args:
        embedding: float `[N, D]`, of at least two classes.
        labels: class positions, int64 `[N]`.
        others: float `[M, D]`.
        classes: K; those without a label get probability 0.

    Returns:
        float64 `[M, K]`.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (takes a second, and no server needs it)

    head = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_ROUNDS).fit(embedding, labels)
    found = np.zeros((len(others), classes))
    found[:, head.classes_] = head.predict_proba(others)
    return found
