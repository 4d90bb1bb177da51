"""`feedback.reviews.review_queue`: of a database that several bundles share, each has its own queue."""

from __future__ import annotations

import pytest

from feedback.database.database import Database
from feedback.reviews.answer import Answer, record_answer
from feedback.reviews.review_queue import Progress, next_reviews, recorded_decision
from models.errors import NotFound
from tests.feedback.decisions import add_decisions, decision_row

MODELS = ("a_b@1", "a_b@2", "axb@1", "a_b.c@1", "ba_b@1")


@pytest.mark.parametrize("head", [None, "category"])
def test_each_bundle_has_the_decisions_of_its_own_versions(database: Database, head: str | None) -> None:
    ids = add_decisions(database, [decision_row(number, model=model) for number, model in enumerate(MODELS)])
    for bundle, expected in (("a_b", ids[:2]), ("axb", ids[2:3]), ("a_b.c", ids[3:4]), ("a", [])):
        reviews, progress = next_reviews(database, bundle=bundle, head=head, limit=9, reviewer="ann", lease_s=60)
        assert sorted(review.id for review in reviews) == expected
        assert progress == Progress(len(expected), 0)


def test_the_answers_of_one_bundle_are_not_counted_for_another(database: Database) -> None:
    add_decisions(database, [decision_row(number, model=model) for number, model in enumerate(MODELS)])
    record_answer(database, Answer("request-2", label="Bag"), {"category": ("Bag",)}, "axb")
    counted = {
        bundle: next_reviews(database, bundle=bundle, head=None, limit=9, reviewer="ann", lease_s=0)[1]
        for bundle in ("a_b", "axb")
    }
    assert counted == {"a_b": Progress(2, 0), "axb": Progress(0, 1)}


def test_a_decision_of_another_bundle_is_not_found(database: Database) -> None:
    (decision_id,) = add_decisions(database, [decision_row(model="shop@3")])
    assert recorded_decision(database, str(decision_id), "shop")["model"] == "shop@3"
    with pytest.raises(NotFound, match="bundle 'other' has no decision '1'"):
        recorded_decision(database, str(decision_id), "other")
