"""Decisions are counted by labels that are bounded, and for little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.bundle.head_spec import HeadSpec
from models.policy import Policy
from models.runtime.engine_types import HeadOutput, Result
from models.runtime.head_answers import Answered, answer_image
from service.observability.decision_metrics import MOST_HEADS, MOST_SERIES, DecisionMetrics
from service.observability.shared_memory import Tally, read_totals
from tests.cpu_cost import relative_cost


def decided(label: int = 1, classes: int = 2, head: str = "shade", distance: float | None = 3.0) -> Answered:
    names = tuple(f"class {number}" for number in range(classes))
    spec = HeadSpec(name=head, kind="x", classes=names, policy=Policy(min_confidence=0.6, max_distance=2.0))
    output = np.full(classes, 0.1 / classes, np.float32)
    output[label] = 0.9
    result = Result(np.zeros(4, np.float32), {head: HeadOutput(output, {}, distance)}, 0, 0, 0, 0)
    return answer_image(0, b"", result, [spec])


def test_a_decision_is_counted_by_head_label_and_first_reason(tmp_path: Path) -> None:
    metrics = DecisionMetrics(Tally.open(tmp_path))
    metrics.observe([decided(), decided(0, distance=1.0), decided(0, distance=None)])
    numbers = read_totals(tmp_path).numbers
    assert numbers["tandem_decisions", ("shade", "class 1", "review", "unfamiliar")] == [1]
    assert numbers["tandem_decisions", ("shade", "class 0", "accept", "none")] == [2]
    assert numbers["tandem_decision_distance", ("shade",)][-1] == pytest.approx(2.0)  # 1.5 and 0.5 of the limit
    assert numbers["tandem_decision_confidence", ("shade",)][-1] == pytest.approx(2.7)


def test_a_head_that_names_a_number_has_no_label_and_no_confidence(tmp_path: Path) -> None:
    metrics = DecisionMetrics(Tally.open(tmp_path))
    price = HeadSpec(name="price", kind="x", task="regression")
    result = Result(np.zeros(4, np.float32), {"price": HeadOutput(np.ones(1, np.float32), {})}, 0, 0, 0, 0)
    metrics.observe([answer_image(0, b"", result, [price])])
    numbers = read_totals(tmp_path).numbers
    assert numbers["tandem_decisions", ("price", "", "accept", "none")] == [1]
    assert sum(numbers["tandem_decision_confidence", ("price",)]) == 0


def test_however_many_classes_and_heads_there_are_the_series_are_few(tmp_path: Path) -> None:
    metrics = DecisionMetrics(Tally.open(tmp_path))
    for number in range(600):
        metrics.observe([decided(number, 600)])
    for number in range(40):
        metrics.observe([decided(head=f"head-{number}")])
    keys = [key for name, key in read_totals(tmp_path).numbers if name == "tandem_decisions"]
    assert len(keys) < MOST_SERIES + 2 * MOST_HEADS + 2
    assert ("shade", "other", "review", "unfamiliar") in keys
    assert ("other", "other", "review", "unfamiliar") in keys
    assert sum(len(values) for values in read_totals(tmp_path).numbers.values()) < 2000


@pytest.mark.alone
@pytest.mark.no_cover  # which costs more than it
def test_counting_a_decision_costs_less_than_a_small_json(tmp_path: Path) -> None:
    metrics, one = DecisionMetrics(Tally.open(tmp_path)), [decided()]

    def count() -> None:
        for _ in range(5000):
            metrics.observe(one)

    cost = relative_cost(count, 5000)
    print(f"counting a decision: {cost:.2f} of a small JSON")
    assert cost < 1
