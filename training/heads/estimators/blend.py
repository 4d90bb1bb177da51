"""two candidates ──▶ `Candidate` that answers with a weighted mean of their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import Embedding, Probabilities
from training.heads.candidates import Candidate, Fitting, judged
from training.heads.crossfit import CrossFit, Lesson, Source
from training.heads.estimators.boosting import tree_folds
from training.heads.features.encoding import Rows
from training.heads.fitted_head import Decider
from training.heads.registry import blend_of
from training.reports.evaluation_metrics import row_losses

_SHARES = np.arange(21) / 20
Losses = NDArray[np.float64]


@dataclass(frozen=True)
class Blend(Decider):
    """Two fitted heads whose probabilities are averaged, or whose numbers are, on the scale that they are fitted on.

    Intervals of its numbers look at the features of the first.

    Attributes:
        parts: the two.
        share: weight of the first, in [0, 1].
    """

    parts: tuple[Decider, ...] = ()
    share: float = 1.0

    @classmethod
    def of(cls, parts: tuple[Decider, ...], share: float) -> Blend:
        """A blend of two heads fitted on the same rows, not calibrated itself; of classes the parts are."""
        first, second = parts
        plain = Blend(blend_of(first.kind, second.kind), None, first.encoder, present=first.present)
        is_number = first.task == "regression"
        calibration = first.calibration if is_number else plain.calibration
        return replace(plain, calibration=calibration, classes=first.classes, parts=parts, share=share)

    @property
    def weighted(self) -> list[tuple[Decider, float]]:
        """Each part with its weight."""
        return list(zip(self.parts, (self.share, 1 - self.share), strict=True))

    def scores(self, embedding: Embedding, rows: Rows = ()) -> Probabilities:
        """Mean of what the parts say, float32 `[N, K]` or `[N, 1]`."""
        is_number = self.task == "regression"
        said = [
            np.float32(weight) * (part.scores(embedding, rows) if is_number else part(embedding, rows))
            for part, weight in self.weighted
        ]
        return said[0] + said[1]


@dataclass(frozen=True)
class BlendFit:
    """Fits both candidates on the same rows."""

    parts: tuple[Candidate, Candidate]
    share: float

    def __call__(self, lesson: Lesson, start: Decider | None = None) -> Blend:
        """Fits the head; a fit of a part may start from that part of another blend."""
        starts = start.parts if isinstance(start, Blend) else (None, None)
        fitted = (part.calibrated(part.fit(lesson, begin)) for part, begin in zip(self.parts, starts, strict=True))
        return Blend.of(tuple(fitted), self.share)


def blend(first: Candidate, second: Candidate, source: Source, fitting: Fitting) -> Candidate:
    """Blends two candidates by the weights that out-of-fold answers choose.

    The answers to the rows of a fold are blended by weights that the other folds' rows chose, so that the loss does not
    flatter the blend.
    """
    parts = first, second
    folds = tree_folds(source, fitting)
    losses = _losses(parts, source, fitting)
    deciders = {}
    for fold in np.unique(folds).tolist():
        fitted = tuple(part.calibrated(part.crossed.without(fold)) for part in parts)
        deciders[fold] = Blend.of(fitted, _best_share(losses[:, folds != fold]))
    share = _best_share(losses)
    crossed = CrossFit(deciders, folds, first.crossed.width)
    kind = blend_of(first.kind, second.kind)
    fit = BlendFit(parts, share)
    mixed = judged(fit, crossed, source, kind=kind, fitting=fitting, preparation=first.preparation)
    name = f"{share:g} {first.name} + {1 - share:g} {second.name}"
    return replace(mixed, setting=f"{share:g}", name=name, note=" ".join({first.note, second.note} - {""}))


def _losses(parts: tuple[Candidate, Candidate], source: Source, fitting: Fitting) -> Losses:
    """Of each share the loss of each judged row, `[S, J]`."""
    to_scale: Callable[[Probabilities], Probabilities] = np.log if fitting.is_log else np.asarray
    back: Callable[[Probabilities], Probabilities] = np.exp if fitting.is_log else np.asarray
    first, second = (to_scale(part.answers) for part in parts)
    labels, is_balanced = source.judged.labels, fitting.is_balanced
    mixed = (back(share * first + (1 - share) * second) for share in _SHARES)
    return np.stack([row_losses(answers, labels, is_balanced=is_balanced) for answers in mixed])


def _best_share(losses: Losses) -> float:
    return float(_SHARES[losses.mean(1).argmin()])
