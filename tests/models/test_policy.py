"""`models.policy`: accepted, or left to a person and why."""

from __future__ import annotations

import pytest

from models.policy import Policy

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


def test_what_a_policy_does_not_have_is_left_out_of_the_file() -> None:
    assert Policy(min_confidence=0.5).model_dump() == {"min_confidence": 0.5}
    assert Policy.model_validate(POLICY.model_dump()) == POLICY
