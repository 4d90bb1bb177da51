"""From probabilities to the answer that a caller reads."""

from __future__ import annotations

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.errors import BadRequest
from models.policy import Policy, as_served
from models.runtime.engine_types import HeadOutput, Result
from models.runtime.head_answers import answer_image, classify, estimate
from service.api.predictions import to_answer, to_estimate, to_prediction
from service.api.query import Options, read_top_k

HEAD = HeadSpec(name="shade", kind="by_hand", classes=("dark", "mid", "bright"), policy=Policy(min_confidence=0.6))


def predict(*probabilities: float, top_k: int | None = None) -> dict:
    answer = classify(HeadOutput(np.array(probabilities, np.float32), {}), HEAD)
    return dict(to_prediction(answer, HEAD, "tiny@1", top_k))


def test_classes_are_listed_by_falling_probability() -> None:
    prediction = predict(0.1, 0.2, 0.7)
    assert list(prediction["probabilities"].items()) == [("bright", 0.7), ("mid", 0.2), ("dark", 0.1)]
    assert (prediction["label"], prediction["confidence"]) == ("bright", 0.7)
    assert (prediction["model"], prediction["head"]) == ("tiny@1", "shade")


def test_top_k_shortens_the_list_and_changes_nothing_else() -> None:
    whole, short = predict(0.1, 0.2, 0.7), predict(0.1, 0.2, 0.7, top_k=2)
    assert list(short.pop("probabilities")) == ["bright", "mid"]
    whole.pop("probabilities")
    assert short == whole


@pytest.mark.parametrize(
    ("confidence", "decision", "reasons"),
    [(0.7, "accept", []), (0.6, "accept", []), (0.59, "review", ["low_confidence"])],
)
def test_the_policy_decides_on_the_confidence(confidence: float, decision: str, reasons: list[str]) -> None:
    prediction = predict(confidence, 1 - confidence, 0)
    assert (prediction["decision"], prediction["reasons"]) == (decision, reasons)


@pytest.mark.parametrize(
    ("probabilities", "decision"),
    [
        pytest.param((0.0999994, 0.2, 0.7), "accept", id="less than is shown"),
        pytest.param((0.0999996, 0.2, 0.7), "review", id="as much, rounded"),
        pytest.param((0.7, 0.2, 0.1), "accept", id="it is the answer"),
    ],
)
def test_an_answer_is_reviewed_where_it_may_miss_a_class(probabilities: tuple[float, ...], decision: str) -> None:
    head = HEAD.model_copy(update={"policy": Policy(min_confidence=0.6, review_from={"dark": 0.1})})
    assert classify(HeadOutput(np.array(probabilities, np.float32), {}), head).decision == decision


def test_the_same_confidence_is_served_that_a_policy_was_chosen_on() -> None:
    drawn = np.random.default_rng(0).dirichlet(np.ones(3), 2000).astype(np.float32)
    assert [predict(*row)["confidence"] for row in drawn] == as_served(drawn).max(1).tolist()


def test_the_label_is_the_graphs_own_where_two_classes_differ_by_less_than_is_shown() -> None:
    prediction = predict(0.3999996, 0.2, 0.4)
    assert prediction["label"] == "bright"
    assert prediction["probabilities"]["dark"] == prediction["probabilities"]["bright"] == 0.4


def test_of_equal_classes_the_first_is_the_label() -> None:
    assert predict(0.25, 0.375, 0.375)["label"] == "mid"


def test_probabilities_have_six_decimals() -> None:
    assert predict(1 / 3, 2 / 3, 0)["probabilities"] == {"mid": 0.666667, "dark": 0.333333, "bright": 0.0}


@pytest.mark.parametrize(("text", "top_k"), [("1", 1), ("3", 3), ("002", 2)])
def test_top_k_is_a_whole_number_up_to_the_number_of_classes(text: str, top_k: int) -> None:
    assert read_top_k(text, [HEAD]) == top_k


@pytest.mark.parametrize(
    "text", ["0", "4", "-1", "1.5", "", " 1", "three", "٣", "²", "1_0", "1" * 5000, "000000001" * 500]
)
def test_any_other_top_k_is_refused_with_value_and_limit(text: str) -> None:
    with pytest.raises(BadRequest) as raised:
        read_top_k(text, [HEAD])
    assert str(raised.value) == f"top_k must be a whole number from 1 to 3; got {text[:40]!r}"


def test_probabilities_are_rounded_to_six_decimals() -> None:
    drawn = np.random.default_rng(0).dirichlet(np.ones(3), 2000).astype(np.float32)
    for row in drawn:
        shown = predict(*row)["probabilities"]
        assert shown == {name: round(value, 6) for name, value in zip(HEAD.classes, row.tolist(), strict=True)}


def test_a_number_has_the_bounds_that_were_found_and_no_others() -> None:
    head = HeadSpec(name="price", kind="by_hand", task="regression")
    value, bounds = np.array([1 / 3], np.float32), np.array([0.1, 1e6], np.float32)
    assert to_estimate(estimate(HeadOutput(value, {}, interval=bounds), head), head, "tiny@1") == {
        "value": 0.3333333,
        "decision": "accept",
        "reasons": [],
        "model": "tiny@1",
        "head": "price",
        "interval": [0.1, 1e6],
    }
    assert "interval" not in to_estimate(estimate(HeadOutput(value, {}), head), head, "tiny@1")


def outcome(**decisions: list[float]) -> Result:
    found = {name: HeadOutput(np.array(values, np.float32), {}) for name, values in decisions.items()}
    return Result(np.zeros(4, np.float32), found, 0, 0, 0, 0)


def test_one_head_answers_with_a_prediction_and_several_by_their_names() -> None:
    size = HeadSpec(name="size", kind="by_hand", classes=("small", "large"))
    found = outcome(shade=[0.1, 0.2, 0.7], size=[0.25, 0.75])
    alone = to_answer(answer_image(0, b"", found, [size]), Options((size,)), "tiny@1")
    both = to_answer(answer_image(0, b"", found, [size, HEAD]), Options((size, HEAD), top_k=2), "tiny@1")
    assert alone["label"] == "large"  # type: ignore[typeddict-item]
    assert (list(both), both["model"]) == (["decisions", "model"], "tiny@1")
    decisions = both["decisions"]  # type: ignore[typeddict-item]
    assert [(name, each["label"], each["head"]) for name, each in decisions.items()] == [
        ("size", "large", "size"),
        ("shade", "bright", "shade"),
    ]
    assert decisions["size"] == alone
    assert len(decisions["shade"]["probabilities"]) == 2


def test_the_head_with_most_classes_says_how_large_top_k_may_be() -> None:
    size = HeadSpec(name="size", kind="by_hand", classes=("small", "large"))
    assert read_top_k("3", [size, HEAD]) == 3
