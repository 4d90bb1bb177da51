"""Decisions for people ──▶ `Waiting`: how many wait, how many are answered, and on how many people disagree."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, or_, select

from feedback.database.tables import decision, feedback, for_people


class Waiting(NamedTuple):
    """Numbers of decisions: that wait for a person, that were answered, and that have answers which differ."""

    waiting: int
    answered: int
    disagreements: int


def count_waiting(connection: Connection, model: str) -> dict[str, Waiting]:
    """Counts by head of a model, `name@version`."""
    said = (
        select(
            feedback.c.decision_id,
            func.count(feedback.c.label.distinct()).label("labels"),
            func.count(feedback.c.value.distinct()).label("values"),
        )
        .group_by(feedback.c.decision_id)
        .subquery()
    )
    is_answered = said.c.decision_id.is_not(None)
    query = (
        select(
            decision.c["head"],
            func.count().filter(~is_answered, for_people),
            func.count().filter(is_answered),
            func.count().filter(or_(said.c.labels > 1, said.c["values"] > 1)),
        )
        .outerjoin(said, said.c.decision_id == decision.c.id)
        .where(decision.c.model == model, or_(for_people, is_answered))
        .group_by(decision.c["head"])
    )
    return {head: Waiting(*counts) for head, *counts in connection.execute(query)}
