"""`training.policy.costs`: what reviews and mistakes cost, read from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.exceptions import DataError
from training.policy.costs import Costs

CLASSES = ("bag", "shoe")


def test_a_dear_mistake_is_dear_for_those_two_labels_alone() -> None:
    table = Costs(review=1, error=5, errors={"bag": {"shoe": 80}}).table(CLASSES)
    assert table.tolist() == [[0, 80], [5, 0]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"review": 1, "error": 3, "errors": {"a": {"b": -1}}}', "field errors.a.b: Input should be greater than or"),
        ("{", "Expecting property name"),
        ('{"review": 1}', "field error: Field required"),
        ('{"review": 0, "error": 3}', "field review: Input should be greater than 0"),
        ('{"review": 1, "error": 3, "typo": 4}', "field typo: Extra inputs are not permitted"),
    ],
    ids=["a mistake that pays", "no JSON", "no error", "a review for nothing", "a typo"],
)
def test_wrong_costs_are_told(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_text(text)
    with pytest.raises(DataError, match=why):
        Costs.read(tmp_path / "costs.json")


def test_costs_are_read(tmp_path: Path) -> None:
    costs = {"review": 1.0, "error": 20.0, "errors": {"bag": {"shoe": 100.0}}}
    (tmp_path / "costs.json").write_text(json.dumps(costs))
    assert Costs.read(tmp_path / "costs.json").model_dump() == costs


def test_a_label_that_costs_name_has_to_be_there() -> None:
    with pytest.raises(DataError, match="the costs name 'boot', which is none of the labels bag, shoe"):
        Costs(review=1, error=5, errors={"boot": {"shoe": 80}}).table(CLASSES)
