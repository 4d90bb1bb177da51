"""`models.policy`: accept or review."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from models.policy import Policy


@pytest.mark.parametrize(
    ("confidence", "decision", "reasons"),
    [
        pytest.param(0.9, "accept", [], id="more than the threshold is accepted"),
        pytest.param(0.8, "accept", [], id="the threshold itself is accepted"),
        pytest.param(0.79, "review", ["low_confidence"], id="less is for review, with the reason"),
        pytest.param(0.0, "review", ["low_confidence"], id="nothing is for review"),
    ],
)
def test_the_threshold_decides(confidence: float, decision: str, reasons: list[str]) -> None:
    assert Policy(min_confidence=0.8).decide(confidence) == (decision, reasons)


def test_without_a_threshold_everything_is_accepted() -> None:
    assert Policy().decide(0.0) == ("accept", [])


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan, math.inf])
def test_a_threshold_outside_0_to_1_is_refused(threshold: float) -> None:
    with pytest.raises(ValidationError):
        Policy(min_confidence=threshold)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate({"min_confidense": 0.5})
