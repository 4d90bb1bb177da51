"""embeddings and labels ──▶ rows whose label is probably wrong, each with the label that it should have.

Confident learning, by cleanlab: Northcutt, Jiang, Chuang 2021, https://arxiv.org/abs/1911.00068. The probabilities are
those of logistic regressions that have not seen the row, in stratified folds. Of cleanlab's rules `low_self_confidence`
is taken: as many rows as the confident joint says are mislabelled, those with the least probability of their own label.

Precision and recall where 500 of 10,000 labels were replaced, Fashion-MNIST's official test images on the default
bundle's fp32 embeddings, which never saw them; the least and the most of three seeds
(cleanlab 2.9, scikit-learn 1.9):

| rule                  | another class, uniformly | the next class           |
|-----------------------|--------------------------|--------------------------|
| low_self_confidence   | 0.775-0.789, 0.978-0.988 | 0.752-0.754, 0.970-0.980 |
| low_normalized_margin | 0.736-0.759, 0.932-0.944 | 0.721-0.736, 0.940-0.946 |
| confident_learning    | 0.720-0.727, 0.902-0.918 | 0.704-0.711, 0.914-0.918 |
| both                  | 0.705-0.718, 0.926-0.928 | 0.672-0.699, 0.886-0.918 |
| prune_by_class        | 0.679-0.685, 0.972-0.974 | 0.639-0.660, 0.936-0.956 |
| prune_by_noise_rate   | 0.675-0.680, 0.940-0.944 | 0.665-0.681, 0.940-0.956 |
| predicted_neq_given   | 0.484-0.489, 0.994-0.996 | 0.485-0.487, 0.996-0.998 |

What is listed beside the replaced ones is not all wrong: these images have mistaken and doubtful labels of their own.
`tests/training/clean/test_labels.py` measures the rule that is taken anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from cleanlab.filter import find_label_issues  # type: ignore[import-untyped]
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.sessions import Embedding
from training.dataset import Labels

FOLDS = 5
RULE = "low_self_confidence"
_STRENGTH = 0.01  # C; 0.1 did the same with uniform noise, and let 2 points of precision go with the other
_ITERATIONS = 200


@dataclass(frozen=True)
class LabelIssue:
    """A label that is probably wrong.

    Attributes:
        position: of the row.
        given: its label.
        suggested: the label that is more probable.
        doubt: probability that the given label is wrong, in [0, 1].
    """

    position: int
    given: int
    suggested: int
    doubt: float


def find_issues(embedding: Embedding, labels: Labels, *, seed: int) -> list[LabelIssue]:
    """Rows whose label the others speak against, the worst first.

    Rows of classes with fewer than 5 rows are neither judged nor suggested: folds without the class would say that
    there is no such thing.

    Args:
        embedding: float32 `[N, D]`.
        labels: int64 `[N]`.
        seed: of the folds.
    """
    classes, counts = np.unique(labels, return_counts=True)
    judged = np.flatnonzero(np.isin(labels, classes[counts >= FOLDS]))
    names, given = np.unique(labels[judged], return_inverse=True)
    if len(names) < 2:
        return []
    probabilities = _probabilities(embedding[judged], given, seed)
    listed = find_label_issues(given, probabilities, filter_by=RULE, n_jobs=1)  # processes would take longer to start
    suggested = probabilities.argmax(1)
    doubt = 1 - probabilities[np.arange(len(given)), given]
    rows = np.flatnonzero(listed & (suggested != given))
    return [
        LabelIssue(int(judged[row]), int(names[given[row]]), int(names[suggested[row]]), float(doubt[row]))
        for row in rows[np.argsort(-doubt[rows], kind="stable")]
    ]


def _probabilities(embedding: Embedding, labels: Labels, seed: int) -> NDArray[np.float64]:
    """Of each class by models that have not seen the row, float64 `[N, K]`."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=_ITERATIONS))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with threadpool_limits(1):  # its many small products: where two threads wait for a busy core, 17 s instead of 0.4
        found = cross_val_predict(model, embedding, labels, cv=folds, method="predict_proba").astype(np.float64)
    normalized: NDArray[np.float64] = found / found.sum(1, keepdims=True)
    return normalized
