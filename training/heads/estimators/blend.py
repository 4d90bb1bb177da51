"""two fitted heads ──▶ `Blend`: one head that gives the weighted mean of their outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.runtime.sessions import Embedding, Probabilities
from training.heads.features.encoding import Rows
from training.heads.fitted_head import FittedHead
from training.heads.kind import blend_of


@dataclass(frozen=True)
class Blend(FittedHead):
    """Two fitted heads; their probabilities are averaged, or their numbers on the scale that they are fitted on.

    Intervals of its numbers use the features of the first.

    Attributes:
        parts: the two heads.
        share: weight of the first, in [0, 1].
    """

    parts: tuple[FittedHead, ...] = ()
    share: float = 1.0

    @classmethod
    def of(cls, parts: tuple[FittedHead, ...], share: float) -> Blend:
        """A blend of two heads that were fitted on the same rows. Its parts are calibrated, not the blend itself."""
        first, second = parts
        plain = Blend(blend_of(first.kind, second.kind), None, first.encoder, present=first.present)
        calibration = first.calibration if first.task == "regression" else plain.calibration
        return replace(plain, calibration=calibration, classes=first.classes, parts=parts, share=share)

    @property
    def weighted(self) -> list[tuple[FittedHead, float]]:
        """Each part with its weight."""
        return list(zip(self.parts, (self.share, 1 - self.share), strict=True))

    def scores(self, embedding: Embedding, rows: Rows = ()) -> Probabilities:
        """The weighted mean of the parts' outputs, float32 `[N, K]` or `[N, 1]`."""
        is_number = self.task == "regression"
        first, second = (
            np.float32(weight) * (part.scores(embedding, rows) if is_number else part(embedding, rows))
            for part, weight in self.weighted
        )
        return first + second
