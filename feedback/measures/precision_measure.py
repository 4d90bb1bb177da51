"""Accepted decisions and the answers to their audits ──▶ `PrecisionMeasure`: how often what is accepted is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, func, select

from feedback.database.tables import decision, of_bundle
from feedback.measures.waiting import Waiting, count_waiting
from feedback.reviews.newest_answer import newest_answers
from feedback.statistics.live_precision import LivePrecision, live_precision

NEWEST = 100_000
"""Decisions of all heads that the share of accepted ones is of."""


@dataclass(frozen=True)
class PrecisionMeasure:
    """One head of the model that serves.

    Attributes:
        decisions: among the newest `NEWEST` of all heads.
        of_newest: `NEWEST` if more decisions than that are recorded, so that older ones are not counted; else None.
        accepted: share of them; None if there are none.
        audits: accepted decisions that were drawn for people.
        precision: among all accepted decisions, by the audits that are answered; of a head with classes.
        classes: the same for each class that an answered audit names.
        waiting: decisions that wait for a person, or have been answered.
        is_number: whether the head names a number, of which no share is right.
        error: mean absolute error among all accepted decisions, by the same audits; None without one, and of classes.
    """

    decisions: int
    of_newest: int | None
    accepted: float | None
    audits: int
    precision: LivePrecision
    classes: dict[str, LivePrecision]
    waiting: Waiting
    is_number: bool
    error: float | None

    def as_document(self, target: float | None) -> dict[str, Any]:
        """For JSON, beside the precision that the head's policy promises."""
        classes = {name: _bounds(found) | {"answered": found.answered} for name, found in self.classes.items()}
        figures = {"target": target, "audits": self.audits, "answered": self.precision.answered, "classes": classes}
        return {
            "decisions": self.decisions,
            "of_newest": self.of_newest,
            "accepted": self.accepted,
            "precision": _bounds(self.precision) | figures,
            "waiting": self.waiting.waiting,
            "answered": self.waiting.answered,
            "disagreements": self.waiting.disagreements,
            "is_number": self.is_number,
            "mean_absolute_error": self.error,
        }


def measure_precision(connection: Connection, model: str) -> dict[str, PrecisionMeasure]:
    """Measures each head of a model, `name@version`, that has decided."""
    waiting = count_waiting(connection, model)
    found = {}
    older = connection.execute(select(decision.c.id).order_by(decision.c.id.desc()).offset(NEWEST).limit(1)).scalar()
    for head, (decisions, accepted, labels) in _shares(connection, model, older or 0).items():
        audits = _audits(connection, model, head)
        classes = {row.label for row in audits if row.answer is not None}
        of_class = {name: _precision([row for row in audits if row.label == name]) for name in sorted(classes)}
        found[head] = PrecisionMeasure(
            decisions,
            None if older is None else NEWEST,
            accepted / decisions,
            len(audits),
            _precision(audits),
            of_class,
            waiting.get(head, Waiting(0, 0, 0)),
            is_number=labels == 0,
            error=_error(audits),
        )
    return found


def newest_model(connection: Connection, bundle: str | None = None) -> str | None:
    """`name@version` of a bundle's newest decision; of all if none is named or it has not decided; None if none has."""
    newest = select(decision.c.model).order_by(decision.c.id.desc()).limit(1)
    if bundle is not None:
        own: str | None = connection.execute(newest.where(of_bundle(bundle))).scalar()
        if own is not None:
            return own
    return connection.execute(newest).scalar()


def _shares(connection: Connection, model: str, after: int) -> dict[str, tuple[int, int, int]]:
    """Decisions, accepted ones and those with a label, of each head, of those after an id."""
    query = (
        select(
            decision.c["head"],
            func.count(),
            func.count().filter(decision.c.decision == "accept"),
            func.count(decision.c.label),
        )
        .where(decision.c.model == model, decision.c.id > after)
        .group_by(decision.c["head"])
        .order_by(decision.c["head"])
    )
    return {head: (count, accepted, labels) for head, count, accepted, labels in connection.execute(query)}


def _audits(connection: Connection, model: str, head: str) -> Sequence[Row[*tuple[Any, ...]]]:
    """What each audit says, its probability and what is right; None for one that is not answered, or cannot be."""
    answer = newest_answers()
    query = (
        select(
            decision.c.label,
            decision.c.value,
            decision.c.probability,
            answer.c.label.label("answer"),
            answer.c.value.label("right_value"),
        )
        .outerjoin(answer, answer.c.decision_id == decision.c.id)
        .where(decision.c.audit, decision.c.decision == "accept", decision.c["head"] == head, decision.c.model == model)
    )
    return connection.execute(query).all()


def _precision(audits: Sequence[Row[*tuple[Any, ...]]]) -> LivePrecision:
    answered = [row for row in audits if row.answer is not None]
    right = np.array([row.label == row.answer for row in answered], bool)
    return live_precision(right, np.array([row.probability for row in answered]), asked=len(audits))


def _error(audits: Sequence[Row[*tuple[Any, ...]]]) -> float | None:
    """Each answered audit of a number counts by the inverse of its probability."""
    answered = [row for row in audits if row.value is not None and row.right_value is not None]
    errors = [abs(row.value - row.right_value) for row in answered]
    return float(np.average(errors, weights=[1 / row.probability for row in answered])) if answered else None


def _bounds(found: LivePrecision) -> dict[str, Any]:
    return {"estimate": found.estimate, "lower": found.lower, "upper": found.upper}
