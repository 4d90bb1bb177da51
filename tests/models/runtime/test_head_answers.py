"""`models.runtime.head_answers`: what service and scoring say of one head output."""

from __future__ import annotations

import numpy as np

from models.bundle.head_spec import HeadSpec
from models.policy import Policy
from models.runtime.engine_types import HeadOutput
from models.runtime.head_answers import classify, estimate, served

PETS = HeadSpec(name="pets", kind="by_hand", classes=("cat", "dog", "fox"), policy=Policy(min_confidence=0.7))
PRICE = HeadSpec(name="price", kind="by_hand", task="regression", interval_coverage=0.9)


def test_the_most_probable_class_is_the_label() -> None:
    answer = classify(HeadOutput(np.float32([0.1, 0.8, 0.1]), {}), PETS)
    assert (answer.label, answer.confidence, answer.decision, answer.reasons) == ("dog", 0.8, "accept", [])
    assert answer.falling[0] == 1


def test_an_uncertain_answer_is_for_review_with_its_reason() -> None:
    answer = classify(HeadOutput(np.float32([0.6, 0.3, 0.1]), {}), PETS)
    assert (answer.decision, answer.reasons) == ("review", ["low_confidence"])


def test_a_class_not_to_miss_is_looked_at_as_it_is_served() -> None:
    strict = PETS.model_copy(update={"policy": Policy(review_from={"fox": 0.1})})
    assert classify(HeadOutput(np.float32([0.9, 0.0, 0.0999996]), {}), strict).decision == "review"
    assert classify(HeadOutput(np.float32([0.9, 0.0, 0.0999]), {}), strict).decision == "accept"


def test_a_number_has_the_digits_of_float32_and_its_bounds() -> None:
    answer = estimate(HeadOutput(np.float32([1.1]), {}, None, np.float32([0.9, 1.3])), PRICE)
    assert answer == (1.1, "accept", [], [0.9, 1.3])


def test_probabilities_are_served_in_millionths() -> None:
    assert served(0.12345678) == 0.123457
