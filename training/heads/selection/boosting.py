"""a base ──▶ `Candidate` with boosted trees on top, in as many rounds as out-of-fold predictions show to be worth it.

The trees of a classifier start from the logits of a linear model and correct them. These logits are out of fold: on its
own rows a model would leave nothing for the trees to correct. The trees of a regressor start from the mean, and see the
linear model's number as one more feature, also out of fold: on rows unlike those of training that number goes astray,
and a tree can ignore it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.arrays import Features, Floats
from training.data.images import Indices
from training.data.split import make_folds
from training.heads.calibration import LOGITS, Calibration, Rescaling, Temperature
from training.heads.crossfit import CrossFit
from training.heads.estimators.boosted import Boosted, TreeInputs
from training.heads.estimators.folding import linear_of
from training.heads.estimators.linear import Linear
from training.heads.estimators.tree_fitting import Sample, cross_fit_trees, fit_trees
from training.heads.estimators.tree_settings import TreeSettings
from training.heads.estimators.trees import Trees
from training.heads.features.views import View, Whole, fit_components
from training.heads.fitted_head import FittedHead
from training.heads.head_fit import Fitting
from training.heads.kind import Kind
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.selection.candidates import Candidate, evaluate
from training.heads.sources import FOLDS, Source

_NARROW = 128
"""Width up to which the trees of numbers see the whole embedding, else its leading components. Of the default
embedding's 64 they made more that way (500 rows: 7.96 off a price for 8.24); of 1,280 a round would take 20 times as
long."""
_ALONE_ROUNDS, _ALONE_RATE = 30, 0.2
"""Of trees that are compared with the head. 120 rounds at a rate of 0.05 take four times as long and were no better:
log loss 0.140 for 0.138 (2,000 made-up rows, 10 classes), 2.58 for 2.56 (100 classes), 0.127 both (200 columns)."""


def boost(
    kind: Kind, base: Candidate, source: Source, fitting: Fitting, *, sees_embedding: bool, rounds: int | None = None
) -> Candidate:
    """Fits trees on top of a base, and evaluates both together.

    Args:
        kind: of the result.
        base: a linear model in its best setting, or a candidate of `kind` itself, which has no estimator yet.
        source: what the base was evaluated on.
        fitting: how.
        sees_embedding: whether the trees see the embedding as well, or its leading components.
        rounds: of trees; None for as many as out-of-fold predictions show to be worth it.
    """
    data = _TreeData.of(kind, base, source, fitting, sees_embedding=sees_embedding)
    folds = tree_folds(source, fitting)
    bases = {
        fold: data.encode(base.crossed.without(fold), folds[data.rows] != fold) for fold in np.unique(folds).tolist()
    }
    settings = TreeSettings(fitting.classes, fitting.seed)
    samples = {fold: each.sample for fold, each in bases.items()}
    trees, rounds = cross_fit_trees(samples, folds[data.rows], settings, rounds)
    heads = {fold: each.with_trees(trees[fold]) for fold, each in bases.items()}
    candidate = evaluate(
        BoostedFit(data, base, settings, rounds),
        CrossFit(heads, folds, base.crossed.width),
        source,
        kind=kind,
        fitting=fitting,
        preparation=base.preparation,
        calibration=None if rounds else _of_logits(base.calibration),
    )
    setting = f"{rounds} round{'s' if rounds > 1 else ''}" if rounds else "no trees"
    return replace(candidate, setting=setting, note=base.note)


def _of_logits(calibration: Calibration) -> Calibration | None:
    """The base's calibration, applied to its logits instead of its probabilities: for a base that gets no trees."""
    if isinstance(calibration, Rescaling):
        return None
    return replace(calibration, of_probabilities=False) if isinstance(calibration, Temperature) else LOGITS


@dataclass(frozen=True)
class BoostedFit:
    """Fits a base on rows, and trees on top that start from the base's out-of-fold predictions."""

    data: _TreeData
    base: Candidate
    settings: TreeSettings
    rounds: int

    def __call__(self, labelled: LabelledEmbeddings, start: FittedHead | None = None) -> FittedHead:  # noqa: ARG002
        """Fits one head, not yet calibrated; the base starts from one of its own that was fitted without a fold."""
        near = next(iter(self.base.crossed.heads.values()), None)
        encoded = self.data.encode(self.base.fit(labelled, near), np.ones(len(self.data.rows), bool))
        return encoded.with_trees(fit_trees(encoded.sample, self.settings, self.rounds))


def separate_parts(candidate: Candidate, source: Source) -> dict[str, FittedHead]:
    """The linear model and the trees of a boosted classifier, each without the other, by name; empty for other heads.

    Trees alone see columns and components, whatever the trees of the head see.
    """
    fit = candidate.fit
    if not isinstance(fit, BoostedFit) or not fit.data.has_linear or not fit.settings.classes:
        return {}
    linear = fit.base.finished(source)
    encoded = replace(fit.data, sees_embedding=True).encode(linear, np.ones(len(fit.data.rows), bool))
    sample = replace(encoded.sample, margins=np.zeros_like(encoded.sample.margins))
    trees = fit_trees(sample, replace(fit.settings, rate=_ALONE_RATE), _ALONE_ROUNDS)
    boosted = replace(encoded.boosted, margin=None, trees=trees)
    return {
        f"{fit.base.kind.title} alone": linear,
        "boosted trees alone": replace(encoded.head, estimator=boosted, calibration=LOGITS),
    }


def tree_folds(source: Source, fitting: Fitting) -> Indices:
    """The folds of the source. If it has only one, others: the base has not seen any of its rows anyway."""
    if len(np.unique(source.folds)) != 1:
        return source.folds
    return make_folds(source.held_out.strata(fitting.classes), source.units, FOLDS, fitting.seed)


@dataclass(frozen=True)
class _EncodedBase:
    """A fitted base, and the rows as it encodes them, which trees are fitted on.

    Attributes:
        head: the base as a head of the boosted kind.
        linear: the base's linear model, its logits not yet sharpened.
        boosted: the sharpened base, still without trees.
        sample: the rows.
    """

    head: FittedHead
    linear: Linear
    boosted: Boosted
    sample: Sample

    def with_trees(self, trees: Trees) -> FittedHead:
        """The base with trees; the linear model alone if there are no rounds."""
        boosted = replace(self.boosted, trees=trees) if trees.rounds else Boosted(self.linear)
        return replace(self.head, estimator=boosted)


@dataclass(frozen=True)
class _TreeData:
    """What trees are fitted on, the same for all folds.

    Attributes:
        kind: of the result.
        rows: positions of the held-out rows that trees are fitted on, `[R]`.
        labelled: these rows.
        outputs: the base's out-of-fold predictions of them: logits `[R, K]`, or numbers in their own unit `[R, 1]`.
        has_linear: whether the base is a linear model.
        sharpness: what the base's calibration multiplies its logits by. Trees start from calibrated logits, or they
            would spend rounds on what a temperature does for nothing.
        sees_embedding: whether trees see the embedding.
        weights: of the rows; None if all have the same.
    """

    kind: Kind
    rows: Indices
    labelled: LabelledEmbeddings
    outputs: Features
    has_linear: bool
    sharpness: float
    sees_embedding: bool
    weights: Floats | None

    @classmethod
    def of(cls, kind: Kind, base: Candidate, source: Source, fitting: Fitting, *, sees_embedding: bool) -> _TreeData:
        """The data for a base on a source."""
        held_out, usable = source.held_out, source.fitted
        sharpness = 1 / base.calibration.temperature if isinstance(base.calibration, Temperature) else 1.0
        outputs = base.answers
        if fitting.classes:
            outputs = base.crossed(held_out, _logits) * np.float32(sharpness)
            usable = usable & base.crossed.knows(held_out.labels)
        rows = np.flatnonzero(usable)
        labelled, has_linear = held_out.part(rows), base.kind is not kind
        weights = labelled.row_weights(is_balanced=fitting.is_balanced)
        return cls(kind, rows, labelled, outputs[rows], has_linear, sharpness, sees_embedding, weights)

    def encode(self, head: FittedHead, is_fitted: NDArray[np.bool_]) -> _EncodedBase:
        """Encodes the rows with a fitted base; `is_fitted`, `[R]`, says which of them components are learnt from."""
        features = head.encoder(self.labelled.embedding, self.labelled.rows)
        linear = linear_of(head) if self.has_linear else None
        width = head.encoder.view.width(self.labelled.embedding.shape[1]) if linear else 0
        seen = self._tree_view(features[is_fitted, :width]) if self.sees_embedding else None
        rescaling = head.calibration
        if isinstance(rescaling, Rescaling):
            boosted = Boosted(None, TreeInputs(width, seen, linear))
            inputs = boosted.inputs(features, np.asarray(rescaling.undo(self.outputs), np.float32))
            labels, margins = rescaling.undo(self.labelled.labels), np.zeros((len(features), 1), np.float32)
        else:
            boosted = Boosted(linear and linear.times(self.sharpness), TreeInputs(width, seen))
            inputs, labels, margins = boosted.inputs(features), self.labelled.labels, self.outputs
        sample = Sample(inputs, labels, margins, self.weights)
        base = replace(head, kind=self.kind, scaling=None)
        return _EncodedBase(base, linear or Linear.zero(features.shape[1]), boosted, sample)

    def _tree_view(self, view: Features) -> View:
        """What trees see of the base's view `[N, V]`."""
        is_number = self.labelled.labels.dtype.kind == "f"
        return Whole() if is_number and view.shape[1] <= _NARROW else fit_components(view)


def _logits(head: FittedHead, labelled: LabelledEmbeddings) -> Features:
    return linear_of(head)(head.encoder(labelled.embedding, labelled.rows))
