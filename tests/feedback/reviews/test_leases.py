"""`feedback.reviews.leases`: a decision is one reviewer's until the lease runs out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update

from feedback.database.database import Database
from feedback.database.tables import lease
from feedback.reviews.answer import Answer, record_answer, undo_answer
from feedback.reviews.leases import take_leases
from feedback.reviews.review_queue import next_reviews
from tests.feedback.decisions import add_decisions, decision_row


def take(database: Database, wanted: list[int], count: int, reviewer: str, lease_s: float = 60) -> list[int]:
    with database.writing() as connection:
        return list(take_leases(connection, wanted, count, reviewer=reviewer, lease_s=lease_s))


def test_two_reviewers_get_different_decisions(database: Database) -> None:
    ids = add_decisions(database, [decision_row(number) for number in range(5)])
    assert take(database, ids, 2, "ann") == ids[:2]
    assert take(database, ids, 2, "bob") == ids[2:4]


def test_one_reviewer_gets_the_same_again_for_longer(database: Database) -> None:
    ids = add_decisions(database, [decision_row(number) for number in range(3)])
    assert take(database, ids, 1, "ann") == take(database, ids, 1, "ann") == ids[:1]


def test_a_lease_that_has_run_out_is_anybodys(database: Database) -> None:
    ids = add_decisions(database, [decision_row()])
    take(database, ids, 1, "ann")
    assert take(database, ids, 1, "bob") == []
    with database.writing() as connection:
        connection.execute(update(lease).values(until=datetime.now(UTC) - timedelta(seconds=1)))
    assert take(database, ids, 1, "bob") == ids


def test_what_was_answered_meanwhile_is_not_given(database: Database) -> None:
    ids = add_decisions(database, [decision_row(number) for number in range(2)])
    record_answer(database, Answer("request-0", label="Bag"), {"category": ("Bag",)}, "shop")
    assert take(database, ids, 2, "ann") == ids[1:]


def test_many_reviewers_at_once_never_share_a_decision(database: Database) -> None:
    ids = add_decisions(database, [decision_row(number) for number in range(40)])
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda number: take(database, ids, 5, f"reviewer-{number}"), range(8)))
    assert sorted(decision_id for taken in given for decision_id in taken) == ids


def next_of(database: Database, reviewer: str, limit: int) -> list[int]:
    reviews, _ = next_reviews(database, bundle="shop", head=None, limit=limit, reviewer=reviewer, lease_s=60)
    return [review.id for review in reviews]


def test_whoever_undoes_an_answer_has_the_decision_back(database: Database) -> None:
    add_decisions(database, [decision_row()])
    mine = next_of(database, "ann", 1)
    answer_id = record_answer(database, Answer("request-0", label="Bag"), {"category": ("Bag",)}, "shop")
    assert next_of(database, "ann", 1) == []
    undo_answer(database, answer_id, "shop")
    assert next_of(database, "bob", 1) == []
    assert next_of(database, "ann", 1) == mine


def test_what_a_reviewer_has_comes_before_what_is_worth_more(database: Database) -> None:
    add_decisions(database, [decision_row(number, confidence=0.9) for number in range(2)])
    mine = next_of(database, "ann", 2)
    better = add_decisions(database, [decision_row(number, confidence=0.2) for number in range(2, 9)])
    assert set(next_of(database, "ann", 2)) == set(mine)
    assert set(next_of(database, "ann", 4)) - set(mine) < set(better)


def test_leases_that_ran_out_long_ago_are_deleted(database: Database) -> None:
    ids = add_decisions(database, [decision_row(number) for number in range(2)])
    take(database, ids, 1, "ann")
    with database.writing() as connection:
        connection.execute(update(lease).values(until=datetime.now(UTC) - timedelta(days=2)))
    take(database, ids[1:], 1, "bob")
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(lease)).scalar() == 1
