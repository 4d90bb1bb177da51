"""a kind in one setting ──▶ `HeadFit`: labelled embeddings in, a fitted head out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from models.bundle.head_spec import Task
from models.columns import Column
from training.arrays import Features, Floats
from training.data.images import Indices
from training.heads.calibration import AS_IS, Rescaling
from training.heads.estimators.logistic import fit_logistic
from training.heads.features.encoding import fit_encoder
from training.heads.features.preparation import Preparation, fit_scaling
from training.heads.features.views import fit_view
from training.heads.fitted_head import FittedHead
from training.heads.kind import Kind, Maker, Size
from training.heads.labelled_embeddings import LabelledEmbeddings


@dataclass(frozen=True)
class Fitting:
    """How heads are fitted, whatever their kind.

    Attributes:
        classes: K; 0 for numbers.
        columns: the columns beside the image.
        seed: of whatever is random.
        is_balanced: whether each class has the same weight, however many rows it has.
        is_log: whether heads are fitted to the logarithms of the numbers.
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
        """The name of the out-of-fold loss that candidates are compared by."""
        if not self.classes:
            return "root mean square error"
        return "macro log loss" if self.is_balanced else "log loss"

    @property
    def criterion(self) -> str:
        """The same in full, as reports name it."""
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

    def __call__(self, labelled: LabelledEmbeddings, start: FittedHead | None = None) -> FittedHead:
        """Fits one head, not yet calibrated, on a stratified sample if there are more rows than the kind takes.

        Args:
            labelled: rows to fit on, of at least some of the classes.
            start: a fitted head of the same kind that the fit may start from.
        """
        fitting = self.fitting
        taken = labelled.part(sample_rows(labelled.strata(fitting.classes), self.kind.max_rows, fitting.seed))
        view = fit_view(self.preparation.view, taken.embedding)
        encoder = fit_encoder(fitting.columns, labelled.rows, view, expands=self.preparation.expands)
        features = encoder(taken.embedding, taken.rows)
        scaling = fit_scaling(self.preparation, features, view.width(labelled.embedding.shape[1]))
        unfitted = FittedHead(self.kind, None, encoder, AS_IS, classes=fitting.classes, scaling=scaling)
        if fitting.classes:
            return self._fit_classes(unfitted, features, taken, start)
        rescaling = Rescaling.of(labelled.labels, is_log=fitting.is_log)
        estimator = self.maker(Size(len(taken), fitting.seed))
        scaled = unfitted.scaled(features)
        if isinstance(estimator, Ridge):
            scaled = scaled.astype(np.float64)  # hinges, products and their numbers are nearly linear in each other
        fitted = _fit_estimator(estimator, scaled, rescaling.undo(taken.labels), taken.weights)
        return replace(unfitted, estimator=fitted, calibration=rescaling)

    def _fit_classes(
        self, unfitted: FittedHead, features: Features, taken: LabelledEmbeddings, start: FittedHead | None
    ) -> FittedHead:
        present, positions = np.unique(taken.labels, return_inverse=True)
        unfitted = replace(unfitted, present=present)
        if len(present) < 2:
            return unfitted
        estimator = self.maker(Size(len(taken), self.fitting.seed))
        weights = taken.row_weights(is_balanced=self.fitting.is_balanced)
        if unfitted.scaling is not None and isinstance(estimator, LogisticRegression):
            size, begin = unfitted.scaling.size, _start_weights(unfitted, start)
            fit_logistic(estimator, unfitted.scaled(features), positions, size, weights=weights, begin=begin)
            return replace(unfitted, estimator=estimator)
        return replace(unfitted, estimator=_fit_estimator(estimator, unfitted.scaled(features), positions, weights))


def _start_weights(unfitted: FittedHead, start: FittedHead | None) -> Floats | None:
    """The weights of `start`, if it has the same classes and its features are the first ones of the new head."""
    if start is None or start.estimator is None or start.scaling is None or unfitted.scaling is None:
        return None
    more = len(unfitted.scaling.size) - len(start.scaling.size)
    is_other = [code.width for code in start.encoder.codes] != [code.width for code in unfitted.encoder.codes]
    if not np.array_equal(start.present, unfitted.present) or more < 0 or is_other:
        return None
    weights = start.estimator.coef_.T * start.scaling.size[:, None]
    return np.vstack([weights, np.zeros((more, weights.shape[1])), start.estimator.intercept_])


def _fit_estimator(estimator: Any, features: NDArray[np.floating], targets: NDArray[Any], weights: Any) -> Any:
    """Fits an estimator, with row weights if there are any; the last step of a pipeline takes them."""
    prefix = f"{estimator.steps[-1][0]}__" if hasattr(estimator, "steps") else ""
    extra = {} if weights is None else {f"{prefix}sample_weight": weights}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of a linear SVM: more steps change nothing
        return estimator.fit(features, targets, **extra)


def sample_rows(strata: NDArray[np.int64], limit: int | None, seed: int) -> Indices:
    """Draws a stratified sample.

    Args:
        strata: the stratum of each row, `[N]`.
        limit: about how many rows to draw; None for all. Each stratum gives the same share, and at least two rows.
        seed: of the draw.

    Returns:
        Positions of the rows, ascending.
    """
    if limit is None or len(strata) <= limit:
        return np.arange(len(strata))
    generator = np.random.default_rng(seed)
    kept = []
    for stratum in np.unique(strata):
        members = generator.permutation(np.flatnonzero(strata == stratum))
        kept.append(members[: max(2, limit * len(members) // len(strata))])
    return np.sort(np.concatenate(kept))
