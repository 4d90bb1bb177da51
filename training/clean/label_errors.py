"""embeddings and labels ──▶ `LabelReview`: labels that seem wrong, and an estimate of how many of them are.

Confident learning, by cleanlab: Northcutt, Jiang, Chuang 2021, https://arxiv.org/abs/1911.00068. The probabilities are
out of fold, from logistic regressions in stratified folds. Of cleanlab's rules `low_self_confidence` is used: it lists
as many rows as the confident joint counts as mislabelled, those with the lowest probability of their own label.

Precision and recall where 500 of 10,000 labels were replaced, Fashion-MNIST's official test images on the default
bundle's fp32 embeddings, which never saw them; the least and the most of three seeds (cleanlab 2.9, scikit-learn 1.9,
C = 0.01; the rule that is taken has 0.770-0.789, 0.980-0.990 and 0.762-0.767, 0.968-0.982 with the C of today):

| rule                  | another class, uniformly | the next class           |
|-----------------------|--------------------------|--------------------------|
| low_self_confidence   | 0.775-0.789, 0.978-0.988 | 0.752-0.754, 0.970-0.980 |
| low_normalized_margin | 0.736-0.759, 0.932-0.944 | 0.721-0.736, 0.940-0.946 |
| confident_learning    | 0.720-0.727, 0.902-0.918 | 0.704-0.711, 0.914-0.918 |
| both                  | 0.705-0.718, 0.926-0.928 | 0.672-0.699, 0.886-0.918 |
| prune_by_class        | 0.679-0.685, 0.972-0.974 | 0.639-0.660, 0.936-0.956 |
| prune_by_noise_rate   | 0.675-0.680, 0.940-0.944 | 0.665-0.681, 0.940-0.956 |
| predicted_neq_given   | 0.484-0.489, 0.994-0.996 | 0.485-0.487, 0.996-0.998 |

The strength of the regularisation is fixed. Chosen by the out-of-fold log loss it is often weaker, and the model learns
the wrong labels: C = 0.1 lists with a precision of 0.41 instead of 0.55 where 5 % of 430 labels are wrong and the
embedding is that of EfficientNet-Lite0 (Fashion-MNIST, 4 seeds, recall 0.99 and 0.96).

The precision of the list is estimated, since on a hard task most listed labels are right. The same rule runs on a copy
of the labels in which some were made wrong on purpose; the share of those that it lists is the recall. The share of all
labels that are wrong, by `training.clean.label_noise`, times the recall is what the list should hold; the rest are
false alarms. With some hundred rows that is cautious: where 5 % of 430 labels of an easy task are wrong and the whole
list is right, the precision is estimated at 0.2 to 0.8. `tests/training/clean/test_label_errors.py` measures all of it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from cleanlab.filter import find_label_issues  # type: ignore[import-untyped]
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.runtime.sessions import Embedding, Probabilities
from training.clean.label_noise import confused_labels, noise_share, other_labels
from training.data.dataset import Labels
from training.data.images import Indices
from training.data.split import make_folds
from training.progress import progress

FOLDS = 5
RULE = "low_self_confidence"
MIN_ROWS = 100
"""With fewer rows the share of wrong labels cannot be estimated."""
_STRENGTH = 0.005  # C
_ITERATIONS = 200
_PLANTED = 100
"""Labels that are made wrong to measure the recall, in up to `_ROUNDS` rounds."""
_ROUNDS = 5
_LEAST_SHARE, _MOST_SHARE = 0.02, 0.2  # of labels made wrong in one round


@dataclass(frozen=True)
class LabelIssue:
    """A label that the model disagrees with.

    Attributes:
        position: of the row.
        given: its label.
        suggested: the label that is more probable.
        doubt: the model's probability of all other labels, in [0, 1]; `LabelReview.precision` says how often such
            doubts are right.
    """

    position: int
    given: int
    suggested: int
    doubt: float


@dataclass(frozen=True)
class LabelReview:
    """Labels that seem wrong, and how far to trust that.

    Attributes:
        issues: the worst first.
        checked: the number of rows whose label was checked.
        precision: estimated share of `issues` that are wrong labels; None if there are none, or too few rows.
        recall: estimated share of wrong labels that are in `issues`; None if there are too few rows.
    """

    issues: tuple[LabelIssue, ...]
    checked: int
    precision: float | None = None
    recall: float | None = None


@dataclass(frozen=True)
class _Rows:
    """Rows whose labels are checked: embeddings `[N, D]`, and the fold of each, `[N]`."""

    embedding: Embedding
    fold: Indices

    def list_issues(self, labels: Labels) -> tuple[Probabilities, NDArray[np.bool_]]:
        """Out-of-fold probabilities, float64 `[N, K]`, and which rows are listed, `[N]`."""
        probabilities = self._probabilities(labels)
        listed = find_label_issues(labels, probabilities, filter_by=RULE, n_jobs=1)  # processes take longer to start
        return probabilities, listed & (probabilities.argmax(1) != labels)

    def _probabilities(self, labels: Labels) -> Probabilities:
        found = np.zeros((len(labels), labels.max() + 1))
        # many small products: with two threads on a busy core 17 s instead of 0.4
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # probabilities rank the labels; last digits do not
            for fold in range(FOLDS):
                held_out = self.fold == fold
                model = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=_ITERATIONS))
                model.fit(self.embedding[~held_out], labels[~held_out])
                found[np.ix_(held_out, model.classes_)] = model.predict_proba(self.embedding[held_out])
        normalized: Probabilities = found / found.sum(1, keepdims=True)
        return normalized


def find_issues(embedding: Embedding, labels: Labels, groups: Indices, *, seed: int) -> LabelReview:
    """Finds labels that seem wrong, and estimates how many of them are.

    Classes with fewer than 5 groups are neither checked nor suggested: a model of the folds without the class could not
    predict it.

    Args:
        embedding: float32 `[N, D]`.
        labels: int64 `[N]`.
        groups: int64 `[N]`; images of one group are in one fold, or copies would confirm each other's wrong label.
        seed: of the folds, and of the labels that are made wrong.
    """
    checked = np.flatnonzero(np.isin(labels, _checkable(labels, groups)))
    names, given = np.unique(labels[checked], return_inverse=True)
    if len(names) < 2:
        return LabelReview((), checked=0)
    rows = _Rows(embedding[checked], make_folds(given, groups[checked], FOLDS, seed))
    probabilities, listed = rows.list_issues(given)
    suggested = probabilities.argmax(1)
    doubt = 1 - probabilities[np.arange(len(given)), given]
    found = np.flatnonzero(listed)
    issues = tuple(
        LabelIssue(int(checked[row]), int(names[given[row]]), int(names[suggested[row]]), float(doubt[row]))
        for row in found[np.argsort(-doubt[found], kind="stable")]
    )
    if len(checked) < MIN_ROWS:
        return LabelReview(issues, len(checked))
    share = noise_share(probabilities, given, seed=seed)
    recall = _measure_recall(rows, given, probabilities, share, seed)
    precision = min(1.0, share * len(given) * recall / len(issues)) if issues else None
    return LabelReview(issues, len(checked), precision, recall)


def _checkable(labels: Labels, groups: Indices) -> Labels:
    """Classes with at least one group for each fold."""
    classes, counts = np.unique(np.unique(np.stack([labels, groups]), axis=1)[0], return_counts=True)
    checkable: Labels = classes[counts >= FOLDS]
    return checkable


def _measure_recall(rows: _Rows, labels: Labels, probabilities: Probabilities, share: float, seed: int) -> float:
    """The listed share of labels made wrong in a copy: half at random, half as the class that is confused most."""
    generator = np.random.default_rng(seed)
    count = max(2, round(min(max(share, _LEAST_SHARE), _MOST_SHARE) * len(labels)))
    confused = confused_labels(probabilities, labels)
    recalls = []
    rounds = range(min(_ROUNDS, -(-_PLANTED // count)))
    for _ in progress(rounds, "planting wrong labels", "round", part=True):
        planted = generator.choice(len(labels), count, replace=False)
        some, others = planted[: count // 2], planted[count // 2 :]
        copy = labels.copy()
        copy[some] = other_labels(labels, some, probabilities.shape[1], generator)
        copy[others] = confused[labels[others]]
        recalls.append(rows.list_issues(copy)[1][planted].mean())
    return float(np.mean(recalls))
