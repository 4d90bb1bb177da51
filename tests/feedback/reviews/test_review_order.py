"""`feedback.reviews.review_order`: audits first, then what an answer is worth, or any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feedback.database.database import Database
from feedback.measures.measurements import REVIEW_ORDER, add_measurements
from feedback.reviews.review_order import in_order, is_random_better
from tests.feedback.decisions import blob, decision_row


def row(number: int, embedding: list[float], **changes: Any) -> dict[str, Any]:
    return decision_row(number, embedding=blob(np.array(embedding)), **changes)


def names(rows: list[dict[str, Any]]) -> list[int]:
    return [int(found["request_id"].removeprefix("request-")) for found in rows]


def test_audits_come_first_and_oldest_first() -> None:
    rows = [row(3, [1, 0]), row(2, [0, 1], audit=True), row(1, [0, 0], audit=True)]
    assert names(in_order(rows, 3, [], at_random=False)) == [1, 2, 3]
    assert names(in_order(rows, 1, [], at_random=False)) == [1]


def test_a_copy_waits_for_everything_else() -> None:
    rows = [row(0, [1, 0]), row(1, [1, 0]), row(2, [0, 0.5], confidence=0.9)]
    assert names(in_order(rows, 3, [], at_random=False))[1] == 2


def test_what_is_like_an_answered_decision_waits() -> None:
    rows = [row(0, [1, 0]), row(1, [0, 1])]
    assert names(in_order(rows, 1, [blob(np.array([1, 0]))], at_random=False)) == [1]


def test_what_the_model_is_sure_of_waits() -> None:
    rows = [row(0, [1, 0], confidence=0.95), row(1, [-1, 0], confidence=0.4)]
    assert names(in_order(rows, 1, [], at_random=False)) == [1]


def test_embeddings_that_cannot_be_compared_come_last() -> None:
    rows = [row(0, [1, 0]), row(1, [0, 1, 0]), row(2, [0, 1])]
    assert names(in_order(rows, 3, [], at_random=False))[2] == 1


def test_decisions_without_embeddings_are_shown_too() -> None:
    rows = [decision_row(number, embedding=None) for number in range(3)]
    assert names(in_order(rows, 2, [], at_random=False)) == [0, 1]


def test_at_random_any_of_them_may_be_first() -> None:
    rows = [row(number, [number, 0]) for number in range(4)]
    firsts = {names(in_order(rows, 1, [], at_random=True))[0] for _ in range(200)}
    assert firsts == {0, 1, 2, 3}


@pytest.mark.parametrize(("strategies", "expected"), [([], False), (["random"], True), (["random", "ours"], False)])
def test_the_last_simulation_says_whether_random_choice_is_better(
    database: Database, strategies: list[str], expected: bool
) -> None:
    for strategy in strategies:
        with database.writing() as connection:
            add_measurements(connection, "shop", {(REVIEW_ORDER, None): {"strategy": strategy}})
    with database.reading() as connection:
        assert is_random_better(connection, "shop") is expected
        assert not is_random_better(connection, "other")
