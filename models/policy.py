"""probabilities ──▶ decision: accept the label, or ask a person to review it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Decision = Literal["accept", "review"]
Reason = Literal["low_confidence"]


class Policy(BaseModel):
    """When an answer is good enough to act on without a person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_confidence: float = Field(default=0.0, ge=0.0, le=1.0)
    """Answers with a lower top probability are marked for review; chosen on validation data."""

    def decide(self, confidence: float) -> tuple[Decision, list[Reason]]:
        """Decides on the top probability, in [0, 1]."""
        if confidence < self.min_confidence:
            return "review", ["low_confidence"]
        return "accept", []
