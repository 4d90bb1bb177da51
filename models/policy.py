"""what a head found ──▶ decision: accept the answer, or ask a person to review it, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.columns import is_empty, is_none

Decision = Literal["accept", "review"]
Reason = Literal["low_confidence", "unfamiliar", "missing_columns"]


class Policy(BaseModel):
    """When an answer is good enough to act on without a person; chosen at training on images held out for that."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_confidence: float = Field(default=0.0, ge=0.0, le=1.0)
    """Answers with a lower top probability are marked for review."""
    min_confidence_of: dict[str, float] = Field(default={}, exclude_if=is_empty)
    """The same for single labels, where mistakes do not all cost the same; 1.01 never accepts one."""
    max_distance: float | None = Field(default=None, ge=0.0, exclude_if=is_none)
    """Images whose embedding lies farther from those of training are unfamiliar; None where nobody looks."""
    expected_columns: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    """Columns that may be missing but hardly ever were in training, so that an answer without them is a guess."""

    def decide(
        self, confidence: float, label: str = "", *, distance: float | None = None, missing: Sequence[str] = ()
    ) -> tuple[Decision, list[Reason]]:
        """Decides on one answer.

        Args:
            confidence: its probability, in [0, 1].
            label: its class.
            distance: of the embedding from those of training, where it was measured.
            missing: which of the expected columns are.
        """
        reasons: list[Reason] = []
        if confidence < self.min_confidence_of.get(label, self.min_confidence):
            reasons.append("low_confidence")
        if distance is not None and self.max_distance is not None and not distance <= self.max_distance:
            reasons.append("unfamiliar")
        if missing:
            reasons.append("missing_columns")
        return ("review" if reasons else "accept"), reasons
