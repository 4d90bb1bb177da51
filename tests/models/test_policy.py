"""`models.policy`: accepted, or left to a person and why."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from models.policy import NEVER, Policy, as_served

POLICY = Policy(
    min_confidence=0.9, min_confidence_of={"bag": 0.6, "shoe": 1.01}, max_distance=4.0, expected_columns=("size",)
)


@pytest.mark.parametrize(
    ("confidence", "label", "distance", "missing", "reasons"),
    [
        pytest.param(0.95, "coat", 1.0, (), [], id="sure and familiar"),
        pytest.param(0.9, "coat", 4.0, (), [], id="just"),
        pytest.param(0.89, "coat", 1.0, (), ["low_confidence"], id="not sure"),
        pytest.param(0.61, "bag", 1.0, (), [], id="sure enough for its label"),
        pytest.param(1.0, "shoe", 1.0, (), ["low_confidence"], id="of a label that is never accepted"),
        pytest.param(0.99, "coat", 4.01, (), ["unfamiliar"], id="far"),
        pytest.param(0.99, "coat", float("nan"), (), ["unfamiliar"], id="nowhere"),
        pytest.param(0.99, "coat", None, (), [], id="nobody looks how far"),
        pytest.param(0.99, "coat", 1.0, ("size",), ["missing_columns"], id="without a column"),
        pytest.param(
            0.2, "coat", 9.0, ("size",), ["low_confidence", "unfamiliar", "missing_columns"], id="for every reason"
        ),
    ],
)
def test_what_is_accepted(
    confidence: float, label: str, distance: float | None, missing: tuple[str, ...], reasons: list[str]
) -> None:
    decision, found = POLICY.decide(confidence, label, distance=distance, missing=missing)
    assert (decision, found) == ("review" if reasons else "accept", reasons)


def test_a_number_out_of_range_goes_to_a_person() -> None:
    policy = Policy(range_columns=("size",))
    assert policy.decide(1.0) == ("accept", [])
    assert policy.decide(1.0, missing=("x",), outside=("size",)) == ("review", ["missing_columns", "out_of_range"])


def test_what_a_policy_does_not_have_is_left_out_of_the_file() -> None:
    assert Policy(min_confidence=0.5).model_dump() == {"min_confidence": 0.5}
    assert Policy.model_validate(POLICY.model_dump()) == POLICY


def test_a_confidence_of_one_can_be_too_low() -> None:
    assert Policy(min_confidence=NEVER).decide(1.0)[0] == "review"
    assert Policy(min_confidence=1.0).decide(1.0)[0] == "accept"


@pytest.mark.parametrize("fields", [{"min_confidence": 1.02}, {"min_confidence_of": {"bag": -0.1}}])
def test_a_threshold_out_of_range_is_refused(fields: dict) -> None:
    with pytest.raises(ValidationError, match="Input should be"):
        Policy(**fields)


@pytest.mark.parametrize(
    ("label", "probability", "decision"),
    [
        pytest.param("coat", 0.04, "accept", id="the class is improbable"),
        pytest.param("coat", 0.05, "review", id="the class is just as probable"),
        pytest.param("crack", 0.95, "accept", id="it is the class itself"),
    ],
)
def test_other_answers_are_reviewed_where_a_class_may_be_missed(label: str, probability: float, decision: str) -> None:
    policy = Policy(min_confidence=0.9, review_from={"crack": 0.05})
    reasons = ["low_confidence"] if decision == "review" else []
    assert policy.decide(0.95, label, probabilities={"crack": probability}) == (decision, reasons)
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def test_probabilities_are_decided_on_in_millionths() -> None:
    served = as_served(np.array([0.94510049, 0.9451006, 0.99999951, 0.0], np.float32))
    assert served.tolist() == [0.9451, 0.945101, 1.0, 0.0]
