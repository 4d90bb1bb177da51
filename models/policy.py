"""what a head found ──▶ decision: accept the answer, or ask a person to review it, and why."""

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
"""Of a probability that is served and decided on: millionths, as float32 carries no more that would mean anything."""
NEVER = 1.01
"""A least confidence that no answer has, those of confidence 1.0 included."""

_Confidence = Annotated[float, Field(ge=0.0, le=NEVER)]


class Policy(Frozen):
    """When an answer is good enough to act on without a person; chosen at training on images held out for that."""

    min_confidence: _Confidence = 0.0
    """Answers with a lower top probability are marked for review; 1.01 never accepts one."""
    min_confidence_of: dict[str, _Confidence] = Field(default={}, exclude_if=is_empty)
    """The same for single labels, where those are judged by themselves."""
    review_from: dict[str, float] = Field(default={}, exclude_if=is_empty)
    """Classes that are not to be missed: answers of another class are marked for review where this one has at least
    such a probability; 0 marks all of them."""
    max_distance: float | None = Field(default=None, ge=0.0, exclude_if=is_none)
    """Images whose embedding lies farther from those of training are unfamiliar; None where nobody looks."""
    expected_columns: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    """Columns that may be missing but hardly ever were in training, so that an answer without them is a guess."""
    range_columns: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    """Numbers and dates for which an answer is a guess where they lie beyond `Column.low` and `Column.high`; none where
    training was told to extrapolate, and of heads from before there was this reason."""

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
            confidence: its probability, in [0, 1].
            label: its class.
            distance: of the embedding from those of training, where it was measured.
            missing: which of the expected columns are.
            outside: which of the range columns lie beyond what training saw.
            probabilities: at least those of the classes in `review_from`; as `confidence`, in whole millionths.
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
    """Probabilities in whole millionths, as answers give them and policies compare them."""
    return np.floor(probabilities.astype(np.float64) * UNITS + 0.5) / UNITS
