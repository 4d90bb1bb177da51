"""a base ──▶ `Candidate` with boosted trees on top, as many as out-of-fold answers show to be worth it.

The trees of a classifier start from the logits of a linear model and correct them. Those are of answers out of fold: a
model's answers on its own rows would leave the trees nothing to mend. The trees of a regressor start from the mean, and
look at the number that the linear model gives, also out of fold: for rows unlike those of training it goes astray, and
a tree can leave it alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.data.images import Indices
from training.data.split import make_folds
from training.heads.calibration import LOGITS, Calibration, Rescaling, Temperature
from training.heads.candidates import Candidate, Fitting, judged
from training.heads.crossfit import CrossFit, Lesson, Source
from training.heads.estimators.boosted import Boosted, TreeInputs
from training.heads.estimators.folding import linear_of
from training.heads.estimators.linear import Linear
from training.heads.estimators.trees import Growth, Sample, Trees, cross_grow, grow
from training.heads.features.views import View, Whole, fit_components
from training.heads.fitted_head import Decider
from training.heads.registry import Kind
from training.reports.evaluation_metrics import balanced_weights

Features = NDArray[np.float32]
_FOLDS = 5
_NARROW = 128
"""Elements of an embedding up to which trees of numbers see all of it, else its leading components. Of the default
embedding's 64 they made more that way (500 rows: 7.96 off a price for 8.24); of 1,280 a round would take 20 times as
long."""
_ALONE_ROUNDS, _ALONE_RATE = 30, 0.2
"""Of trees that are grown to be compared with the head. 120 rounds at a rate of 0.05 take four times as long and were
no better: log loss 0.140 for 0.138 (2,000 made-up rows, 10 classes), 2.58 for 2.56 (100 classes), 0.127 both (200
columns)."""


def boost(
    kind: Kind, base: Candidate, source: Source, fitting: Fitting, *, sees_embedding: bool, rounds: int | None = None
) -> Candidate:
    """Puts trees on a base.

    Args:
        kind: what becomes of it.
        base: a linear model in its best setting, or a candidate of `kind` itself, which has no estimator yet.
        source: that it was judged on.
        fitting: how.
        sees_embedding: whether the trees look at the embedding, too, or at its leading components.
        rounds: of trees; None for as many as out-of-fold answers show to be worth it.
    """
    ground = _Ground.of(kind, base, source, fitting, sees_embedding=sees_embedding)
    folds = tree_folds(source, fitting)
    without = {fold: base.crossed.without(fold) for fold in np.unique(folds).tolist()}
    plots = {fold: ground.plot(decider, folds[ground.rows] != fold) for fold, decider in without.items()}
    growth = Growth(fitting.classes, fitting.seed)
    samples = {fold: plot.sample for fold, plot in plots.items()}
    trees, rounds = cross_grow(samples, folds[ground.rows], growth, rounds)
    deciders = {fold: plot.planted(trees[fold]) for fold, plot in plots.items()}
    crossed = CrossFit(deciders, folds, base.crossed.width)
    fit = BoostedFit(ground, base, growth, rounds)
    calibration = None if rounds else _of_logits(base.calibration)
    candidate = judged(
        fit, crossed, source, kind=kind, fitting=fitting, preparation=base.preparation, calibration=calibration
    )
    rounds_told = f"{rounds} round{'s' if rounds > 1 else ''}" if rounds else "no trees"
    return replace(candidate, setting=rounds_told, note=base.note)


def _of_logits(calibration: Calibration) -> Calibration | None:
    """A base's calibration, for its logits instead of its probabilities; where no trees are put on it."""
    if isinstance(calibration, Rescaling):
        return None
    return replace(calibration, of_probabilities=False) if isinstance(calibration, Temperature) else LOGITS


@dataclass(frozen=True)
class BoostedFit:
    """Fits a base on rows, and puts trees on it that start from what it says out of fold."""

    ground: _Ground
    base: Candidate
    growth: Growth
    rounds: int

    def __call__(self, lesson: Lesson, start: Decider | None = None) -> Decider:  # noqa: ARG002
        """Fits one head, not yet calibrated; the base starts from one of its own that were fitted without a fold."""
        near = next(iter(self.base.crossed.deciders.values()), None)
        plot = self.ground.plot(self.base.fit(lesson, near), np.ones(len(self.ground.rows), bool))
        return plot.planted(grow(plot.sample, self.growth, self.rounds))


def taken_apart(candidate: Candidate, source: Source) -> dict[str, Decider]:
    """What the linear model and the trees of a classifier are without each other, by name; nothing of other heads.

    Trees alone look at columns and components, whatever those of the head look at.
    """
    fit = candidate.fit
    if not isinstance(fit, BoostedFit) or not fit.ground.has_linear or not fit.growth.classes:
        return {}
    ground = replace(fit.ground, sees_embedding=True)
    linear = fit.base.finished(source)
    plot = ground.plot(linear, np.ones(len(ground.rows), bool))
    sample = replace(plot.sample, margins=np.zeros_like(plot.sample.margins))
    trees = grow(sample, replace(fit.growth, rate=_ALONE_RATE), _ALONE_ROUNDS)
    boosted = replace(plot.boosted, margin=None, trees=trees)
    return {
        f"{fit.base.kind.title} alone": linear,
        "boosted trees alone": replace(plot.decider, estimator=boosted, calibration=LOGITS),
    }


def tree_folds(source: Source, fitting: Fitting) -> Indices:
    """Those of the source; where that has one, others: the base has not seen any of its rows anyway."""
    if len(np.unique(source.folds)) != 1:
        return source.folds
    strata = source.judged.labels if fitting.classes else np.zeros(len(source.judged), np.int64)
    return make_folds(strata, source.units, _FOLDS, fitting.seed)


@dataclass(frozen=True)
class _Plot:
    """A base and the rows on which trees are grown for it; `linear` is the base, its logits not yet sharpened."""

    decider: Decider
    linear: Linear
    boosted: Boosted
    sample: Sample

    def planted(self, trees: Trees) -> Decider:
        """The base with trees; where there are none, the linear model alone."""
        boosted = replace(self.boosted, trees=trees) if trees.rounds else Boosted(self.linear)
        return replace(self.decider, estimator=boosted)


@dataclass(frozen=True)
class _Ground:
    """What trees are grown on, whatever the fold.

    Attributes:
        kind: what becomes of it.
        rows: positions of the judged rows that trees are fitted on.
        lesson: these rows.
        said: what the base says of them out of fold: logits `[N, K]`, or numbers in their own unit `[N, 1]`.
        has_linear: whether the base is a linear model.
        sharpness: that the base's calibration multiplies its logits by. Trees start from calibrated ones, or they would
            spend their rounds on what a temperature does for nothing.
        sees_embedding: whether trees look at the embedding.
        weights: of the rows; None where all weigh the same.
    """

    kind: Kind
    rows: Indices
    lesson: Lesson
    said: Features
    has_linear: bool
    sharpness: float
    sees_embedding: bool
    weights: NDArray[np.float64] | None

    @classmethod
    def of(cls, kind: Kind, base: Candidate, source: Source, fitting: Fitting, *, sees_embedding: bool) -> _Ground:
        """Of a base on a source."""
        judged, usable = source.judged, source.fitted
        sharpness = 1 / base.calibration.temperature if isinstance(base.calibration, Temperature) else 1.0
        if fitting.classes:
            said = base.crossed(judged, _logits) * np.float32(sharpness)
            usable = usable & base.crossed.knows(judged.labels)
        else:
            said = base.answers
        rows = np.flatnonzero(usable)
        weights = balanced_weights(judged.labels[rows]) if fitting.is_balanced else None
        return cls(kind, rows, judged.part(rows), said[rows], base.kind is not kind, sharpness, sees_embedding, weights)

    def plot(self, decider: Decider, is_fitted: NDArray[np.bool_]) -> _Plot:
        """Rows as a fitted base encodes them; components are learnt from those that are fitted on."""
        features = decider.encoder(self.lesson.embedding, self.lesson.rows)
        linear = linear_of(decider) if self.has_linear else None
        width = decider.encoder.view.width(self.lesson.embedding.shape[1]) if linear else 0
        seen = self._seen(features[is_fitted, :width]) if self.sees_embedding else None
        plain = replace(decider, kind=self.kind, scaling=None)
        rescaling = decider.calibration
        if isinstance(rescaling, Rescaling):
            boosted = Boosted(None, TreeInputs(width, seen, linear))
            inputs = boosted.inputs(features, np.asarray(rescaling.undo(self.said), np.float32))
            labels, margins = rescaling.undo(self.lesson.labels), np.zeros((len(features), 1), np.float32)
        else:
            boosted = Boosted(linear and linear.times(self.sharpness), TreeInputs(width, seen))
            inputs, labels, margins = boosted.inputs(features), self.lesson.labels, self.said
        base = linear or Linear.zero(features.shape[1])
        return _Plot(plain, base, boosted, Sample(inputs, labels, margins, self.weights))

    def _seen(self, view: Features) -> View:
        """What trees see of the base's view `[N, V]`."""
        is_number = self.lesson.labels.dtype.kind == "f"
        return Whole() if is_number and view.shape[1] <= _NARROW else fit_components(view)


def _logits(decider: Decider, rows: Lesson) -> Features:
    return linear_of(decider)(decider.encoder(rows.embedding, rows.rows))
