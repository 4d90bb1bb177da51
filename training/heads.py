"""embeddings and columns ──▶ fitted heads of the catalogue, each calibrated and judged on rows that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.columns import Column
from models.manifest import Task
from models.sessions import Embedder, Embedding, Probabilities
from training.calibration import Rescaling, calibrate
from training.catalogue import Kind, Maker, Size
from training.decider import Decider
from training.encoding import Rows, fit_encoder
from training.images import Images, Indices
from training.metrics import Errors, errors, score
from training.metrics import Scores as Figures
from training.progress import progress

_BATCH = 500
BATCH_PIXELS = _BATCH * 64 * 64  # activations of larger images would fill the memory


@dataclass(frozen=True)
class Lesson:
    """What a head is fitted on, or judged by.

    Attributes:
        embedding: float32 `[N, D]`.
        labels: class positions, int64 `[N]`, or numbers, float64 `[N]`.
        rows: values of the columns beside each image; empty where there are no columns.
    """

    embedding: Embedding
    labels: NDArray[Any]
    rows: Rows = ()

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, positions: Indices) -> Lesson:
        """Some rows of it."""
        rows = [self.rows[int(position)] for position in positions] if self.rows else ()
        return Lesson(self.embedding[positions], self.labels[positions], rows)


@dataclass(frozen=True)
class Candidate:
    """A fitted head, what distinguishes it from the others, and how it does on the judging rows.

    Attributes:
        name: for a person.
        decider: the head, calibrated on the judging rows.
        judged: its probabilities for those, each by a calibration that has not seen the row, `[J, K]`; or its values,
            `[J, 1]`.
        scores: what those are worth; NaN where there are none.
    """

    name: str
    decider: Decider
    judged: Probabilities
    scores: Figures | Errors

    @property
    def loss(self) -> float:
        """What the best candidate has least of: log loss, or the root mean square error."""
        return self.scores.log_loss if isinstance(self.scores, Figures) else self.scores.rmse


def embed(embedder: Embedder, images: Images, title: str) -> Embedding:
    """Embeds uint8 `[N, H, W, C]` with the exported graph, to float32 `[N, D]`."""
    batch = max(1, min(_BATCH, BATCH_PIXELS // (images.shape[1] * images.shape[2])))
    starts = progress(range(0, max(1, len(images)), batch), title, "batch", part=True)  # none of them: [0, D]
    return np.concatenate([embedder(images[np.arange(start, min(start + batch, len(images)))]) for start in starts])


def fit_classifiers(
    kinds: Sequence[Kind], lesson: Lesson, judge: Lesson, *, columns: Sequence[Column] = (), seed: int, suffix: str = ""
) -> list[Candidate]:
    """Fits every setting of each kind; the least log loss comes first.

    Args:
        kinds: of the catalogue.
        lesson: to fit on.
        judge: to calibrate on and to judge by; where it has no rows, the scores are NaN and the order is as given.
        columns: what stands beside the image.
        seed: of whatever is random.
        suffix: behind the candidates' names.

    Raises:
        DataError: a kind is not installed.
    """
    candidates = []
    for kind, name, maker in progress(_makers(kinds, "classification"), "fitting heads", "head", part=True):
        fitted = fit_classifier(kind, maker, lesson, columns=columns, seed=seed)
        candidates.append(_judged(_titled(kind, name, suffix), fitted, judge, seed))
    return sorted(candidates, key=lambda candidate: candidate.loss)


def fit_regressors(
    kinds: Sequence[Kind], lesson: Lesson, judge: Lesson, *, columns: Sequence[Column] = (), seed: int, suffix: str = ""
) -> list[Candidate]:
    """Fits every setting of each kind to numbers; the least root mean square error comes first.

    Args and errors are those of `fit_classifiers`.
    """
    candidates = []
    for kind, name, maker in progress(_makers(kinds, "regression"), "fitting heads", "head", part=True):
        fitted = fit_regressor(kind, maker, lesson, columns=columns, seed=seed)
        judged = fitted(judge.embedding, judge.rows)
        candidates.append(Candidate(_titled(kind, name, suffix), fitted, judged, errors(judged, judge.labels)))
    return sorted(candidates, key=lambda candidate: candidate.loss)


def fit_classifier(kind: Kind, maker: Maker, lesson: Lesson, *, columns: Sequence[Column] = (), seed: int) -> Decider:
    """Fits one head, not yet calibrated; on a part of the rows, class by class, where the kind takes no more."""
    taken = lesson.part(_sample(lesson.labels, kind.max_rows, seed))
    encoder = fit_encoder(columns, lesson.rows)
    estimator = maker(Size(len(taken), seed)).fit(encoder(taken.embedding, taken.rows), taken.labels)
    return Decider(kind, estimator, encoder)


def fit_regressor(kind: Kind, maker: Maker, lesson: Lesson, *, columns: Sequence[Column] = (), seed: int) -> Decider:
    """Fits one head to numbers; on a part of the rows where the kind takes no more."""
    taken = lesson.part(_sample(np.zeros(len(lesson), np.int64), kind.max_rows, seed))
    encoder = fit_encoder(columns, lesson.rows)
    rescaling = Rescaling(float(lesson.labels.mean()), float(lesson.labels.std()) or 1.0)
    features = encoder(taken.embedding, taken.rows)
    estimator = maker(Size(len(taken), seed)).fit(features, rescaling.undo(taken.labels))
    return Decider(kind, estimator, encoder, rescaling)


def _makers(kinds: Sequence[Kind], task: Task) -> list[tuple[Kind, str, Maker]]:
    return [(kind, name, maker) for kind in kinds for name, maker in kind.makers(task).items()]


def _titled(kind: Kind, setting: str, suffix: str) -> str:
    return ", ".join(part for part in (kind.title, setting, suffix) if part)


def _judged(name: str, fitted: Decider, judge: Lesson, seed: int) -> Candidate:
    scores = fitted.scores(judge.embedding, judge.rows)
    calibration, judged = calibrate(scores, judge.labels, are_probabilities=fitted.kind.has_probabilities, seed=seed)
    return Candidate(name, replace(fitted, calibration=calibration), judged, score(judged, judge.labels))


def _sample(labels: NDArray[np.int64], limit: int | None, seed: int) -> Indices:
    """Positions of at most about `limit` rows, as large a share of each class, and two of it at least."""
    if limit is None or len(labels) <= limit:
        return np.arange(len(labels))
    generator = np.random.default_rng(seed)
    kept = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        kept.append(members[: max(2, limit * len(members) // len(labels))])
    return np.sort(np.concatenate(kept))
