"""`training.policies`: thresholds for a target, for costs, for what is unfamiliar, and which columns are expected."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.columns import Column
from training.errors import DataError
from training.policies import Aims, Costs, Held, cheapest_confidences, choose_policy, expected_columns

CLASSES = ("bag", "shoe")


def held(count: int = 1000) -> Held:
    """Answers `bag` that are right as often as they say, near and then farther off."""
    random = np.random.default_rng(0)
    confidence = np.linspace(0.5, 1.0, count)
    found = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    labels = (random.random(count) > confidence).astype(np.int64)
    return Held(found, labels, np.linspace(0, 1, count).astype(np.float32)[random.permutation(count)], CLASSES)


FAR = np.linspace(0, 7, 100).astype(np.float32)


def test_what_is_accepted_is_as_often_right_as_was_asked() -> None:
    given = held()
    policy = choose_policy(given, Aims(target_precision=0.95), FAR)
    near = given.distances <= policy.max_distance
    accepted = near & (given.found.max(1) >= policy.min_confidence)
    assert 0.95 <= (given.labels[accepted] == 0).mean() < 0.97
    assert accepted.mean() > 0.1


def test_as_many_images_are_unfamiliar_as_may_be() -> None:
    given = held()
    policy = choose_policy(given, Aims(false_alarms=0.05), FAR)
    assert (given.distances > policy.max_distance).mean() == pytest.approx(0.05, abs=0.002)


def test_few_held_out_images_leave_the_limit_to_those_of_training() -> None:
    policy = choose_policy(held(20), Aims(false_alarms=0.02), FAR)
    assert policy.max_distance == pytest.approx(6.9, abs=0.2)


def test_a_number_needs_no_confidence() -> None:
    given = Held(np.zeros((100, 1), np.float32), np.zeros(100), np.linspace(0, 1, 100).astype(np.float32))
    policy = choose_policy(given, Aims(), FAR, ("size",))
    assert (policy.min_confidence, policy.expected_columns) == (0.0, ("size",))
    assert policy.max_distance == pytest.approx(0.98, abs=0.02)


def test_costs_choose_the_cheapest_confidence_of_each_class() -> None:
    given = held(5000)
    costs = Costs(review=1, error=10)
    (bag, shoe) = cheapest_confidences(given.found, given.labels, costs.table(CLASSES), costs.review)
    assert bag == pytest.approx(0.9, abs=0.06)  # where a mistake of 10 in one of ten costs what a review does
    assert shoe == 1.01  # never answered, so never accepted
    policy = choose_policy(given, Aims(costs=costs), FAR)
    assert policy.min_confidence_of.keys() == set(CLASSES)
    assert policy.decide(0.99, "shoe") == ("review", ["low_confidence"])


def test_a_dear_mistake_is_dear_for_those_two_labels_alone() -> None:
    table = Costs(review=1, error=5, errors={"bag": {"shoe": 80}}).table(CLASSES)
    assert table.tolist() == [[0, 80], [5, 0]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name"),
        ('{"review": 1}', "field error: Field required"),
        ('{"review": 0, "error": 3}', "field review: Input should be greater than 0"),
        ('{"review": 1, "error": 3, "typo": 4}', "field typo: Extra inputs are not permitted"),
    ],
    ids=["no JSON", "no error", "a review for nothing", "a typo"],
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


def test_optional_columns_that_training_hardly_lacks_are_expected() -> None:
    columns = [Column(name=name, type="number", required=name == "a") for name in "abc"]
    rows = [{"a": 1.0, "b": None if row < 4 else 1.0, "c": None if row < 40 else 1.0} for row in range(100)]
    assert expected_columns(columns, rows) == ("b",)
