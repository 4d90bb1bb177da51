"""Shadow decisions beside the champion's ──▶ `ShadowMeasure`: agreement, accepted shares, and who is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, case, func, select

from feedback.database.tables import decision, for_people, shadow
from feedback.reviews.newest_answer import newest_answers
from feedback.statistics.sequential_test import Comparison, compare

_SUMS = ("agreeing", "accepted", "champion_accepted", "answered")


@dataclass(frozen=True)
class ShadowMeasure:
    """One head of the shadow model beside the champion's.

    Attributes:
        model: the shadow's, `name@version`.
        head: the head.
        decisions: on which both have decided.
        agreement: share of them with the same label, or the same number; None if there are none.
        accepted: share that the shadow accepts.
        champion_accepted: share that the champion accepts.
        answered: of the decisions, those that somebody has answered.
        comparison: of the answers that exactly one of both is right on, or nearer to.
    """

    model: str
    head: str
    decisions: int
    agreement: float
    accepted: float
    champion_accepted: float
    answered: int
    comparison: Comparison

    def as_document(self) -> dict[str, Any]:
        """For JSON."""
        compared = self.comparison
        return {
            "decisions": self.decisions,
            "agreement": self.agreement,
            "accepted": self.accepted,
            "champion_accepted": self.champion_accepted,
            "answered": self.answered,
            "won": compared.won,
            "lost": compared.lost,
            "e_value": compared.e_value,
            "verdict": compared.verdict,
            "sentence": compared.sentence,
        }


def measure_shadow(connection: Connection, model: str, champion: str) -> list[ShadowMeasure]:
    """Compares a shadow model with the champion, for each head that both have decided by.

    Args:
        connection: to the database.
        model: the shadow's, `name@version`.
        champion: whose decisions it is compared with, `name@version`.
    """
    found = connection.execute(_counts(model, champion)).mappings().all()
    by_head = {head: [row for row in found if row["head"] == head] for head in sorted({row["head"] for row in found})}
    return [_measure(model, head, rows) for head, rows in by_head.items()]


def _measure(model: str, head: str, rows: Sequence[RowMapping]) -> ShadowMeasure:
    """Adds up the counts of decisions that are asked about with different probabilities."""
    total = {name: sum(row[name] for row in rows) for name in (*_SUMS, "decisions")}
    pairs = {row["probability"]: (row["won"], row["lost"]) for row in rows if row["won"] or row["lost"]}
    return ShadowMeasure(
        model,
        head,
        total["decisions"],
        total["agreeing"] / total["decisions"],
        total["accepted"] / total["decisions"],
        total["champion_accepted"] / total["decisions"],
        total["answered"],
        compare(pairs, min(row["probability"] for row in rows)),
    )


def _counts(model: str, champion: str) -> Select[Any]:
    """What is counted, for each head and probability of being asked; answers that nobody asked for do not compare."""
    answer = newest_answers()
    counted = {
        "agreeing": _is_same(shadow, decision),
        "accepted": shadow.c.decision == "accept",
        "champion_accepted": decision.c.decision == "accept",
        "answered": answer.c.cannot_tell.is_(False),
        "won": and_(for_people, _better(shadow, decision, answer)),
        "lost": and_(for_people, _better(decision, shadow, answer)),
    }
    counts = (func.count().filter(condition).label(name) for name, condition in counted.items())
    keys = (decision.c["head"], decision.c.probability)
    return (
        select(*keys, func.count().label("decisions"), *counts)
        .select_from(shadow)
        .join(decision, decision.c.id == shadow.c.decision_id)
        .outerjoin(answer, answer.c.decision_id == decision.c.id)
        .where(shadow.c.model == model, decision.c.model == champion)
        .group_by(*keys)
    )


def _is_same(one: Any, other: Any) -> ColumnElement[bool]:
    return case((one.c.label.is_not(None), one.c.label == other.c.label), else_=one.c.value == other.c.value)


def _better(one: Any, other: Any, answer: Any) -> ColumnElement[bool]:
    """Whether one is right and the other is not, or nearer to the right number; NULL without a right answer."""
    is_right = and_(one.c.label == answer.c.label, other.c.label != answer.c.label)
    is_nearer = func.abs(one.c.value - answer.c.value) < func.abs(other.c.value - answer.c.value)
    return case((answer.c.label.is_not(None), is_right), else_=is_nearer)
