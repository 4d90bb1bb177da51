"""a kind in one setting ──▶ `Candidate`: fitted without each fold, calibrated, evaluated by out-of-fold predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from models.runtime.sessions import Probabilities
from training.arrays import Floats
from training.data.images import Indices
from training.heads.calibration import Calibration, Rescaling, calibrate
from training.heads.crossfit import CrossFit, Fit, cross_fit
from training.heads.features.preparation import Preparation
from training.heads.fitted_head import FittedHead
from training.heads.head_fit import Fitting, HeadFit
from training.heads.kind import Kind
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.sources import Source
from training.reports.evaluation_metrics import Errors, errors, row_losses, score, share_losses
from training.reports.evaluation_metrics import Scores as Figures


@dataclass(frozen=True)
class Candidate:
    """A kind in one setting, and how it does on the held-out rows.

    Attributes:
        kind: of the registry.
        fit: fits it to labelled embeddings.
        crossed: the heads that predict the held-out rows, each fitted without a fold.
        calibration: of the scores, fitted on out-of-fold scores.
        answers: calibrated out-of-fold predictions: probabilities `[J, K]`, or values `[J, 1]`.
        scores: figures of those; NaN if there are no held-out rows.
        loss: what candidates are compared by: log loss, or root mean square error.
        criterion: the name of that loss.
        losses: the mean log loss or squared error of each unit of held-out rows, `[U]`.
        preparation: how it makes features.
        has_learnt: whether it clearly beats the shares of the classes, or is nearer to the numbers than their mean;
            True if there are no held-out rows.
        setting: its name among the kind's settings.
        name: as people read it.
        note: what people should know about the setting.
        is_choice: whether this is the setting its kind would serve with; the others were tried, too.
    """

    kind: Kind
    fit: Fit
    crossed: CrossFit
    calibration: Calibration
    answers: Probabilities
    scores: Figures | Errors
    loss: float
    criterion: str
    losses: Floats
    preparation: Preparation
    has_learnt: bool = True
    setting: str = ""
    name: str = ""
    note: str = ""
    is_choice: bool = False

    @property
    def figures(self) -> dict[str, float]:
        """Out-of-fold figures by name, first the one that candidates are compared by."""
        if isinstance(self.scores, Errors):
            return {"RMSE": self.scores.rmse, "MAE": self.scores.mae}
        return {self.criterion: self.loss, "accuracy": self.scores.accuracy}

    def finished(self, source: Source) -> FittedHead:
        """The head that serves: fitted on all rows."""
        start = next(iter(self.crossed.heads.values()), None)
        with threadpool_limits(1, user_api="blas"):  # as in the search
            return self.calibrated(self.fit(source.whole, start))

    def calibrated(self, head: FittedHead) -> FittedHead:
        """A head that `fit` has fitted, with this calibration; one that predicts numbers has its own already."""
        return head if isinstance(self.calibration, Rescaling) else replace(head, calibration=self.calibration)

    def answer(self, held_out: LabelledEmbeddings, positions: Indices) -> Probabilities:
        """Out-of-fold predictions for other embeddings (another precision's) of the held-out rows at some positions."""
        crossed = self.crossed.part(positions)
        if isinstance(self.calibration, Rescaling):
            return crossed(held_out, _values)
        return self.calibration(crossed(held_out, _scores))

    def clearly_beats(self, other: Candidate) -> bool:
        """Whether its mean loss is lower by more than one standard error of the differences, unit by unit."""
        return _is_clear(other.losses - self.losses)


def cross_validate(fit: HeadFit, source: Source, starts: Mapping[int, FittedHead]) -> Candidate:
    """Fits a kind in one setting without each fold, and evaluates it.

    Args:
        fit: of the kind.
        source: rows to fit on and to evaluate with.
        starts: fitted heads by fold that fits may start from; may be empty.
    """
    crossed = cross_fit(fit, source, fit.fitting.classes or 1, starts)
    return evaluate(fit, crossed, source, kind=fit.kind, fitting=fit.fitting, preparation=fit.preparation)


def evaluate(
    fit: Fit,
    crossed: CrossFit,
    source: Source,
    *,
    kind: Kind,
    fitting: Fitting,
    preparation: Preparation,
    calibration: Calibration | None = None,
) -> Candidate:
    """Calibrates heads that were fitted without a fold, unless a calibration is given, and measures their losses."""
    outputs, labels = crossed(source.held_out, _scores if fitting.classes else _values), source.held_out.labels
    # Losses count if the fold's head was fitted on the row's class: it can say nothing of a class it never saw.
    known = crossed.knows(labels) if fitting.classes else np.ones(len(labels), bool)
    weights = source.held_out.part(np.flatnonzero(known)).row_weights(is_balanced=fitting.is_balanced)
    calibration = calibration or _calibration(outputs[known], labels[known], weights, kind, fitting)
    answers = calibration(outputs) if fitting.classes else outputs
    of_rows = row_losses(answers[known], labels[known]) * (1.0 if weights is None else weights)
    losses = source.by_unit(_at(known, of_rows))
    scores: Figures | Errors
    if fitting.classes:
        scores = score(answers, labels)
        loss = float(of_rows.mean()) if known.any() else math.nan
        of_shares = _at(known, share_losses(labels[known], is_balanced=fitting.is_balanced))
        has_learnt = not len(labels) or _is_clear(source.by_unit(of_shares) - losses)
    else:
        scores = errors(answers, labels)
        loss, has_learnt = scores.rmse, not scores.r2 <= 0  # NaN if nothing is held out
    return Candidate(
        kind, fit, crossed, calibration, answers, scores, loss, fitting.loss, losses, preparation, has_learnt
    )


def _at(known: NDArray[np.bool_], values: Floats) -> Floats:
    """The values of known rows among all rows `[J]`; 0 for the others."""
    spread = np.zeros(len(known))
    spread[known] = values
    return spread


def _is_clear(gains: Floats) -> bool:
    """Whether the mean of the units' gains is above one standard error; False if there are none."""
    return len(gains) > 0 and bool(gains.mean() > gains.std() / math.sqrt(len(gains)))


def _calibration(
    outputs: Probabilities, labels: NDArray[Any], weights: Floats | None, kind: Kind, fitting: Fitting
) -> Calibration:
    """Fitted on rows whose class their fold's head knows: other rows say nothing about known classes."""
    if not fitting.classes:
        return Rescaling(0.0, 1.0)  # each head undoes its own
    return calibrate(outputs, labels, are_probabilities=kind.has_probabilities, weights=weights)


def _values(head: FittedHead, labelled: LabelledEmbeddings) -> Probabilities:
    return head(labelled.embedding, labelled.rows)


def _scores(head: FittedHead, labelled: LabelledEmbeddings) -> Probabilities:
    return head.scores(labelled.embedding, labelled.rows)
