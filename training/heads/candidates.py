"""a kind in one setting ──▶ `Candidate`: fitted without each fold, calibrated, judged by its out-of-fold answers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.bundle.head_spec import Task
from models.columns import Column
from models.runtime.sessions import Probabilities
from training.data.images import Indices
from training.heads.calibration import AS_IS, Calibration, Rescaling, calibrate
from training.heads.crossfit import CrossFit, Fit, Lesson, Source, cross_fit
from training.heads.estimators.logistic import fit_logistic
from training.heads.features.encoding import fit_encoder
from training.heads.features.preparation import Preparation, fit_scaling
from training.heads.features.views import fit_view
from training.heads.fitted_head import Decider
from training.heads.registry import Kind, Maker, Size
from training.reports.evaluation_metrics import Errors, balanced_weights, errors, row_losses, score, share_losses
from training.reports.evaluation_metrics import Scores as Figures


@dataclass(frozen=True)
class Candidate:
    """A kind in one setting, and how it does on the judged rows.

    Attributes:
        kind: of the registry.
        fit: fits it to labelled embeddings.
        crossed: the heads that judged it, each fitted without a fold.
        calibration: of the scores, fitted on those that are out of fold.
        answers: out-of-fold probabilities on the scale that is served, `[J, K]`; or values, `[J, 1]`.
        scores: what those are worth; NaN where there are none.
        loss: what the best candidate has least of: log loss, or the root mean square error.
        criterion: the name of that.
        losses: of each unit of the judged rows, log loss or squared error, `[U]`.
        preparation: how it makes features.
        has_learnt: whether it is better than what knows nothing of the rows: clearly better than the shares of the
            classes, or nearer to the numbers than their mean; True where nothing judges.
        setting: its name among the kind's.
        name: for a person.
        note: what a person should know of the setting.
        is_choice: whether it is what its kind would serve; the others were tried, too.
    """

    kind: Kind
    fit: Fit
    crossed: CrossFit
    calibration: Calibration
    answers: Probabilities
    scores: Figures | Errors
    loss: float
    criterion: str
    losses: NDArray[np.float64]
    preparation: Preparation
    has_learnt: bool = True
    setting: str = ""
    name: str = ""
    note: str = ""
    is_choice: bool = False

    @property
    def figures(self) -> dict[str, float]:
        """Out-of-fold figures for a person, by name, first what the best candidate has least of."""
        if isinstance(self.scores, Errors):
            return {"RMSE": self.scores.rmse, "MAE": self.scores.mae}
        return {self.criterion: self.loss, "accuracy": self.scores.accuracy}

    def finished(self, source: Source) -> Decider:
        """The head that serves: fitted on all rows."""
        start = next(iter(self.crossed.deciders.values()), None)
        with threadpool_limits(1, user_api="blas"):  # as in the search
            return self.calibrated(self.fit(source.whole, start))

    def calibrated(self, decider: Decider) -> Decider:
        """A head that `fit` has fitted, calibrated; one that names numbers already is."""
        return decider if isinstance(self.calibration, Rescaling) else replace(decider, calibration=self.calibration)

    def answer(self, judged: Lesson, positions: Indices) -> Probabilities:
        """Out-of-fold answers on other embeddings of the judged rows at some positions, as of another precision."""
        crossed = self.crossed.part(positions)
        if isinstance(self.calibration, Rescaling):
            return crossed(judged, _values)
        return self.calibration(crossed(judged, _scores))

    def clearly_beats(self, other: Candidate) -> bool:
        """Whether its mean loss is lower by more than one standard error of the differences, unit by unit."""
        return _is_clear(other.losses - self.losses)


@dataclass(frozen=True)
class Fitting:
    """How heads are fitted, whatever their kind.

    Attributes:
        classes: K; 0 for numbers.
        columns: what stands beside the image.
        seed: of whatever is random.
        is_balanced: whether each class weighs the same, however many rows it has.
        is_log: whether numbers are told through their logarithms.
    """

    classes: int = 0
    columns: Sequence[Column] = ()
    seed: int = 0
    is_balanced: bool = False
    is_log: bool = False

    @property
    def task(self) -> Task:
        """What heads do."""
        return "classification" if self.classes else "regression"

    @property
    def loss(self) -> str:
        """The name of what the best candidate has least of, out of fold."""
        if not self.classes:
            return "root mean square error"
        return "macro log loss" if self.is_balanced else "log loss"

    @property
    def criterion(self) -> str:
        """The same for a person who reads nothing else."""
        return f"out-of-fold {self.loss}{' (each class counts the same)' if self.is_balanced else ''}"


@dataclass(frozen=True)
class HeadFit:
    """Fits a kind in one setting.

    Attributes:
        kind: of the registry.
        maker: makes its estimator.
        preparation: of its features.
        fitting: how.
    """

    kind: Kind
    maker: Maker
    preparation: Preparation
    fitting: Fitting

    def __call__(self, lesson: Lesson, start: Decider | None = None) -> Decider:
        """Fits one head, not yet calibrated; on a part of the rows, class by class, where the kind takes no more.

        Args:
            lesson: labelled embeddings, of some of the classes at least.
            start: a fitted head of the same kind, from which the fit may start.
        """
        fitting = self.fitting
        strata = lesson.labels if fitting.classes else np.zeros(len(lesson), np.int64)
        taken = lesson.part(sample_rows(strata, self.kind.max_rows, fitting.seed))
        view = fit_view(self.preparation.view, taken.embedding)
        encoder = fit_encoder(fitting.columns, lesson.rows, view, expands=self.preparation.expands)
        features = encoder(taken.embedding, taken.rows)
        scaling = fit_scaling(self.preparation, features, view.width(lesson.embedding.shape[1]))
        plain = Decider(self.kind, None, encoder, AS_IS, classes=fitting.classes, scaling=scaling)
        if fitting.classes:
            return self._of_classes(plain, features, taken, start)
        rescaling = Rescaling.of(lesson.labels, is_log=fitting.is_log)
        estimator = self.maker(Size(len(taken), fitting.seed))
        scaled = plain.scaled(features)
        if isinstance(estimator, Ridge):
            scaled = scaled.astype(np.float64)  # hinges, products and their numbers are nearly linear in each other
        fitted = _fitted(estimator, scaled, rescaling.undo(taken.labels), None)
        return replace(plain, estimator=fitted, calibration=rescaling)

    def _of_classes(
        self, plain: Decider, features: NDArray[np.float32], taken: Lesson, start: Decider | None
    ) -> Decider:
        present, positions = np.unique(taken.labels, return_inverse=True)
        plain = replace(plain, present=present)
        if len(present) < 2:
            return plain
        estimator = self.maker(Size(len(taken), self.fitting.seed))
        weights = balanced_weights(positions) if self.fitting.is_balanced else None
        if plain.scaling is not None and isinstance(estimator, LogisticRegression):
            size, begin = plain.scaling.size, _begin(plain, start)
            fit_logistic(estimator, plain.scaled(features), positions, size, weights=weights, begin=begin)
            return replace(plain, estimator=estimator)
        return replace(plain, estimator=_fitted(estimator, plain.scaled(features), positions, weights))


def judge(fit: HeadFit, source: Source, starts: Mapping[int, Decider]) -> Candidate:
    """Fits a kind in one setting without each fold, and judges it.

    Args:
        fit: of the kind.
        source: to fit on and to judge by.
        starts: fitted heads of each fold, from which fits may start; perhaps none.
    """
    crossed = cross_fit(fit, source, fit.fitting.classes or 1, starts)
    return judged(fit, crossed, source, kind=fit.kind, fitting=fit.fitting, preparation=fit.preparation)


def judged(
    fit: Fit,
    crossed: CrossFit,
    source: Source,
    *,
    kind: Kind,
    fitting: Fitting,
    preparation: Preparation,
    calibration: Calibration | None = None,
) -> Candidate:
    """Calibrates heads that were fitted without a fold, unless it is given how, and says what they are worth."""
    labels = source.judged.labels
    said = crossed(source.judged, _scores if fitting.classes else _values)
    calibration = calibration or _calibrated(said, crossed, labels, kind, fitting)
    answers = calibration(said) if fitting.classes else said
    known = crossed.knows(labels) if fitting.classes else np.ones(len(labels), bool)
    of_rows = np.zeros(len(labels))  # of a class that a fold's head has not seen it can say nothing, whatever it is
    of_rows[known] = row_losses(answers[known], labels[known], is_balanced=fitting.is_balanced)
    scores: Figures | Errors
    if fitting.classes:
        scores = score(answers, labels)
        loss = float(of_rows[known].mean()) if known.any() else math.nan
    else:
        scores = errors(answers, labels)
        loss = scores.rmse
    losses = source.by_unit(of_rows)
    if isinstance(scores, Errors):
        has_learnt = not scores.r2 <= 0
    else:
        of_shares = np.zeros(len(labels))
        of_shares[known] = share_losses(labels[known], is_balanced=fitting.is_balanced)
        has_learnt = not len(labels) or _is_clear(source.by_unit(of_shares) - losses)
    return Candidate(
        kind, fit, crossed, calibration, answers, scores, loss, fitting.loss, losses, preparation, has_learnt
    )


def _is_clear(gains: NDArray[np.float64]) -> bool:
    """Whether the mean of gains, one a unit, is above one standard error; False where there are none."""
    return len(gains) > 0 and bool(gains.mean() > gains.std() / math.sqrt(len(gains)))


def _begin(plain: Decider, start: Decider | None) -> NDArray[np.float64] | None:
    """Weights of another head to start from, if it has the same classes, and the same features or the first of them."""
    if start is None or start.estimator is None or start.scaling is None or plain.scaling is None:
        return None
    more = len(plain.scaling.size) - len(start.scaling.size)
    is_other = [code.width for code in start.encoder.codes] != [code.width for code in plain.encoder.codes]
    if not np.array_equal(start.present, plain.present) or more < 0 or is_other:
        return None
    weights = start.estimator.coef_.T * start.scaling.size[:, None]
    return np.vstack([weights, np.zeros((more, weights.shape[1])), start.estimator.intercept_])


def _fitted(estimator: Any, features: NDArray[np.float32], targets: NDArray[Any], weights: Any) -> Any:
    """Fits, with weights of the rows where there are some; in a pipeline its last step takes them."""
    prefix = f"{estimator.steps[-1][0]}__" if hasattr(estimator, "steps") else ""
    extra = {} if weights is None else {f"{prefix}sample_weight": weights}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of a linear SVM: more steps change nothing
        return estimator.fit(features, targets, **extra)


def _calibrated(
    said: Probabilities, crossed: CrossFit, labels: NDArray[Any], kind: Kind, fitting: Fitting
) -> Calibration:
    """By the rows whose class the head that judges them knows: of others nothing follows for known ones."""
    if not fitting.classes:
        return Rescaling(0.0, 1.0)  # each head undoes its own
    known = crossed.knows(labels)
    weights = balanced_weights(labels[known]) if fitting.is_balanced else None
    return calibrate(said[known], labels[known], are_probabilities=kind.has_probabilities, weights=weights)


def _values(decider: Decider, rows: Lesson) -> Probabilities:
    return decider(rows.embedding, rows.rows)


def _scores(decider: Decider, rows: Lesson) -> Probabilities:
    return decider.scores(rows.embedding, rows.rows)


def sample_rows(labels: NDArray[np.int64], limit: int | None, seed: int) -> Indices:
    """Positions of at most about `limit` rows, as large a share of each class, and two of it at least."""
    if limit is None or len(labels) <= limit:
        return np.arange(len(labels))
    generator = np.random.default_rng(seed)
    kept = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        kept.append(members[: max(2, limit * len(members) // len(labels))])
    return np.sort(np.concatenate(kept))
