"""Which answers count as right."""

import json
from typing import Any

import pytest

from loadtests.scenarios.answer_check import WrongAnswerError, read_several, read_single

GOOD: dict[str, Any] = {
    "label": "Sneaker",
    "confidence": 0.98,
    "decision": "accept",
    "reasons": [],
    "probabilities": {"Sneaker": 0.98, "Sandal": 0.02},
    "model": "fashion-mnist@1",
    "head": "category",
}


def encoded(answer: object) -> bytes:
    return json.dumps(answer).encode()


def test_the_label_of_a_prediction_is_read() -> None:
    assert read_single(encoded(GOOD)) == "Sneaker"


def test_the_labels_of_several_predictions_are_read_in_order() -> None:
    other = GOOD | {"label": "Sandal", "probabilities": {"Sandal": 0.98}}
    assert read_several(encoded({"predictions": [GOOD, other]}), count=2) == ["Sneaker", "Sandal"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"label": "Boat"}, "not among the probabilities", id="a label without a probability"),
        pytest.param({"label": None}, "not among the probabilities", id="no label"),
        pytest.param({"confidence": 0.97}, "not the highest", id="a confidence that is not the highest"),
        pytest.param({"confidence": "0.98"}, "not the highest", id="a confidence that is text"),
        pytest.param({"probabilities": {"Sneaker": 1.2}}, "from 0 to 1", id="a probability above 1"),
        pytest.param({"probabilities": {"Sneaker": True}}, "from 0 to 1", id="a probability that is a label value"),
        pytest.param({"probabilities": {}}, "not among", id="no probabilities"),
        pytest.param({"probabilities": [0.98]}, "not an object", id="probabilities without names"),
        pytest.param({"decision": "maybe"}, "'maybe' is none of accept, review", id="an unknown decision"),
        pytest.param({"model": "fashion-mnist"}, "name@version", id="a model without a version"),
        pytest.param({"error": {"code": "bad_image"}}, "bad_image", id="an error in place of a prediction"),
    ],
)
def test_a_prediction_against_the_contract_is_a_wrong_answer(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(WrongAnswerError, match=reason):
        read_single(encoded(GOOD | change))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param({"predictions": [GOOD]}, "1 predictions for 2 images", id="one prediction too few"),
        pytest.param({"predictions": [GOOD, "Sneaker"]}, "is str", id="a prediction that is only a label"),
        pytest.param(GOOD, "no list", id="a single prediction"),
        pytest.param([GOOD, GOOD], "no list", id="a list without a name"),
    ],
)
def test_an_answer_of_another_form_is_a_wrong_answer_to_several_images(answer: object, reason: str) -> None:
    with pytest.raises(WrongAnswerError, match=reason):
        read_several(encoded(answer), count=2)


def test_text_is_a_wrong_answer() -> None:
    with pytest.raises(WrongAnswerError, match="not JSON"):
        read_single(b"<html>")
