"""a head's output ──▶ decision: accept the answer, or have a person review it, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models.frozen import Frozen, is_empty, is_none

Decision = Literal["accept", "review"]
Reason = Literal["low_confidence", "unfamiliar", "missing_columns", "out_of_range"]

UNITS = 1_000_000
"""Probabilities are served and compared in whole millionths, about the precision of float32."""
NEVER = 1.01
"""A minimum confidence that no answer reaches, not even one of 1.0."""

_Confidence = Annotated[float, Field(ge=0.0, le=NEVER)]


class Policy(Frozen):
    """When an answer is good enough to act on without a person; training chooses it on held-out images."""

    min_confidence: _Confidence = 0.0
    """Answers with a lower top probability are marked for review; 1.01 never accepts one."""
    min_confidence_of: dict[str, _Confidence] = Field(default={}, exclude_if=is_empty)
    """The same for single labels that have their own minimum."""
    review_from: dict[str, float] = Field(default={}, exclude_if=is_empty)
    """Classes that must not be missed, with a probability each. An answer of another class is marked for review if this
    class has at least that probability; 0 marks all of them."""
    max_distance: float | None = Field(default=None, ge=0.0, exclude_if=is_none)
    """Images whose embedding is farther from those of training are unfamiliar; None if there is no outlier detector."""
    expected_columns: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    """Optional columns that were hardly ever missing in training, so that an answer without them is a guess."""
    range_columns: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    """Numbers and dates for which an answer outside `Column.low` and `Column.high` is a guess. Empty if training was
    told to extrapolate, and in older bundles."""

    def decide(
        self,
        confidence: float,
        label: str = "",
        *,
        distance: float | None = None,
        missing: Sequence[str] = (),
        outside: Sequence[str] = (),
        probabilities: Mapping[str, float] | None = None,
    ) -> tuple[Decision, list[Reason]]:
        """Decides on one answer.

        Args:
            confidence: the answer's probability, in [0, 1], in whole millionths.
            label: the answer's class.
            distance: of the embedding from those of training, if measured.
            missing: expected columns that are missing.
            outside: range columns outside the range seen in training.
            probabilities: at least those of the classes in `review_from`, in whole millionths.
        """
        reasons: list[Reason] = []
        if confidence < self.min_confidence_of.get(label, self.min_confidence) or (
            self.review_from and self._may_miss(label, probabilities or {})
        ):
            reasons.append("low_confidence")
        if distance is not None and self.max_distance is not None and not distance <= self.max_distance:
            reasons.append("unfamiliar")
        if missing:
            reasons.append("missing_columns")
        if outside:
            reasons.append("out_of_range")
        return ("review" if reasons else "accept"), reasons

    def _may_miss(self, label: str, probabilities: Mapping[str, float]) -> bool:
        return any(name != label and probabilities[name] >= least for name, least in self.review_from.items())


def as_served(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rounds probabilities to whole millionths, as answers give them and policies compare them."""
    return np.floor(probabilities.astype(np.float64) * UNITS + 0.5) / UNITS
