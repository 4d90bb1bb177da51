"""`feedback.reviews.answered`: the newest answer of each decision, with what a refit needs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert

from feedback.database.database import Database
from feedback.database.tables import decision, feedback
from feedback.reviews.answered import answered_decisions
from tests.feedback.decisions import START, add_decisions, decision_row


@pytest.fixture
def ids(database: Database) -> list[int]:
    """Three decisions of one head, of which one was accepted and drawn, and one of another head."""
    audit = {"decision": "accept", "audit": True, "probability": 0.01}
    changes = [{}, audit, {}, {"head": "price"}]
    return add_decisions(database, [decision_row(number, **each) for number, each in enumerate(changes)])


def say(database: Database, decision_id: int, label: str | None, minute: int, *, cannot_tell: bool = False) -> None:
    row = {"decision_id": decision_id, "label": label, "source": "api", "cannot_tell": cannot_tell}
    with database.writing() as connection:
        connection.execute(insert(feedback), {**row, "time": START + timedelta(minutes=minute)})


def test_the_newest_answer_of_each_decision_counts_in_the_order_of_answers(database: Database, ids: list[int]) -> None:
    say(database, ids[1], "Coat", 1)
    say(database, ids[0], "Bag", 2)
    say(database, ids[1], "Boot", 3)
    found = answered_decisions(database, "shop", "category")
    assert [(each.label, each.accepted, each.audit, each.probability) for each in found] == [
        ("Bag", False, False, 1.0),
        ("Boot", True, True, 0.01),
    ]
    assert found[1].answered == START + timedelta(minutes=3)
    assert found[0].image_sha256 == f"{0:064x}"
    assert found[0].embedding == decision_row(0)["embedding"]


def test_what_nobody_can_tell_and_other_heads_are_left_out(database: Database, ids: list[int]) -> None:
    say(database, ids[0], "Bag", 1)
    say(database, ids[0], None, 2, cannot_tell=True)
    say(database, ids[3], "Bag", 3)
    assert answered_decisions(database, "shop", "category") == []


def test_what_was_erased_is_no_longer_answered(database: Database, ids: list[int]) -> None:
    say(database, ids[0], "Bag", 1)
    with database.writing() as connection:
        connection.execute(delete(decision).where(decision.c.id == ids[0]))
    assert answered_decisions(database, "shop", "category") == []


def test_answers_to_another_bundle_are_not_learnt_from(database: Database, ids: list[int]) -> None:
    say(database, ids[0], "Bag", 1)
    assert len(answered_decisions(database, "shop", "category")) == 1
    assert answered_decisions(database, "sho_", "category") == []
