"""`feedback.measures.shadow_measure`: what the shadow does beside the champion, and who is right."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from feedback.database.database import Database
from feedback.database.tables import shadow
from feedback.measures.shadow_measure import ShadowMeasure, measure_shadow
from feedback.reviews.answer import Answer, record_answer
from tests.feedback.decisions import add_decisions, decision_row

HEADS: dict[str, tuple[str, ...]] = {"category": ("Bag", "Coat", "Boot"), "price": ()}


def measured(database: Database) -> list[ShadowMeasure]:
    with database.reading() as connection:
        return measure_shadow(connection, "shop@2", "shop@1")


def add(database: Database, champions: list[dict[str, object]], shadows: list[dict[str, object]]) -> None:
    ids = add_decisions(database, [decision_row(number, **changes) for number, changes in enumerate(champions)])
    empty = {"model": "shop@2", "label": None, "value": None, "confidence": None, "decision": "accept"}
    with database.writing() as connection:
        connection.execute(
            insert(shadow),
            [{**empty, "decision_id": one, **changes} for one, changes in zip(ids, shadows, strict=True)],
        )


def test_without_shadow_decisions_there_is_nothing_to_say(database: Database) -> None:
    add_decisions(database, [decision_row()])
    assert measured(database) == []


def test_agreement_accepted_shares_and_who_is_right_are_counted(database: Database) -> None:
    add(
        database,
        [{"label": "Bag", "decision": "accept"}, {"label": "Bag"}, {"label": "Coat"}, {"label": "Coat"}],
        [{"label": "Bag"}, {"label": "Coat"}, {"label": "Coat"}, {"label": "Bag", "decision": "review"}],
    )
    record_answer(database, Answer("request-1", label="Coat"), HEADS, "shop")  # the shadow is right
    record_answer(database, Answer("request-2", label="Bag"), HEADS, "shop")  # both are wrong
    record_answer(database, Answer("request-3", label="Coat"), HEADS, "shop")  # changed below
    record_answer(database, Answer("request-3", cannot_tell=True), HEADS, "shop")
    (found,) = measured(database)
    assert (found.model, found.head, found.decisions, found.answered) == ("shop@2", "category", 4, 2)
    assert (found.agreement, found.accepted, found.champion_accepted) == (0.5, 0.75, 0.25)
    assert (found.comparison.won, found.comparison.lost) == (1, 0)


def test_answers_that_nobody_asked_for_do_not_compare_and_rare_audits_leave_it_open(database: Database) -> None:
    accepted = {"label": "Bag", "decision": "accept", "probability": 0.01}
    add(database, [accepted, {**accepted, "audit": True}, *[{"label": "Bag"}] * 20], [{"label": "Coat"}] * 22)
    for number in range(22):
        record_answer(database, Answer(f"request-{number}", label="Coat" if number else "Bag"), HEADS, "shop")
    (found,) = measured(database)
    assert (found.answered, found.comparison.won, found.comparison.lost) == (22, 21, 0)
    assert found.comparison.verdict == "cannot tell yet"


def test_of_numbers_the_nearer_one_is_right(database: Database) -> None:
    add(
        database,
        [{"head": "price", "label": None, "value": value} for value in (1.0, 2.0, 3.0)],
        [{"value": value} for value in (1.5, 2.0, 5.0)],
    )
    for number, value in enumerate((1.6, 2.5, 3.5)):
        record_answer(database, Answer(f"request-{number}", value=value), HEADS, "shop")
    (found,) = measured(database)
    assert found.agreement == pytest.approx(1 / 3)
    assert (found.comparison.won, found.comparison.lost) == (1, 1)


def test_only_decisions_of_the_named_champion_count(database: Database) -> None:
    add(database, [{"model": "shop@1"}, {"model": "shop@0"}], [{"label": "Bag"}, {"label": "Bag"}])
    assert [found.decisions for found in measured(database)] == [1]
