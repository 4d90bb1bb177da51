"""two candidates ──▶ `Candidate` that blends them, by the weights that out-of-fold predictions choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.runtime.sessions import Probabilities
from training.arrays import Floats
from training.heads.crossfit import CrossFit
from training.heads.estimators.blend import Blend
from training.heads.fitted_head import FittedHead
from training.heads.head_fit import Fitting
from training.heads.kind import blend_of
from training.heads.labelled_embeddings import LabelledEmbeddings
from training.heads.selection.boosting import tree_folds
from training.heads.selection.candidates import Candidate, evaluate
from training.heads.sources import Source
from training.reports.evaluation_metrics import row_losses

_SHARES = np.arange(21) / 20


@dataclass(frozen=True)
class BlendFit:
    """Fits both candidates on the same rows."""

    parts: tuple[Candidate, Candidate]
    share: float

    def __call__(self, labelled: LabelledEmbeddings, start: FittedHead | None = None) -> Blend:
        """Fits the head; each part may start from that part of another blend."""
        starts = start.parts if isinstance(start, Blend) else (None, None)
        fitted = (part.calibrated(part.fit(labelled, begin)) for part, begin in zip(self.parts, starts, strict=True))
        return Blend.of(tuple(fitted), self.share)


def blend(first: Candidate, second: Candidate, source: Source, fitting: Fitting) -> Candidate:
    """Blends two candidates.

    The predictions for a fold are blended by the weights that the other folds choose, so that the weights have not seen
    the rows that evaluate them.
    """
    parts = first, second
    folds = tree_folds(source, fitting)
    losses = _losses(parts, source, fitting)
    heads = {}
    for fold in np.unique(folds).tolist():
        fitted = tuple(part.calibrated(part.crossed.without(fold)) for part in parts)
        heads[fold] = Blend.of(fitted, _best_share(losses[:, folds != fold]))
    share = _best_share(losses)
    crossed = CrossFit(heads, folds, first.crossed.width)
    kind = blend_of(first.kind, second.kind)
    fit = BlendFit(parts, share)
    blended = evaluate(fit, crossed, source, kind=kind, fitting=fitting, preparation=first.preparation)
    name = f"{share:g} {first.name} + {1 - share:g} {second.name}"
    return replace(blended, setting=f"{share:g}", name=name, note=" ".join({first.note, second.note} - {""}))


def _losses(parts: tuple[Candidate, Candidate], source: Source, fitting: Fitting) -> Floats:
    """The loss of each held-out row with each share, `[S, J]`."""
    to_scale: Callable[[Probabilities], Probabilities] = np.log if fitting.is_log else np.asarray
    back: Callable[[Probabilities], Probabilities] = np.exp if fitting.is_log else np.asarray
    first, second = (to_scale(part.answers) for part in parts)
    labels, is_balanced = source.held_out.labels, fitting.is_balanced
    mixed = (back(share * first + (1 - share) * second) for share in _SHARES)
    return np.stack([row_losses(answers, labels, is_balanced=is_balanced) for answers in mixed])


def _best_share(losses: Floats) -> float:
    return float(_SHARES[losses.mean(1).argmin()])
