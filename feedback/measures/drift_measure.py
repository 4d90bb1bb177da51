"""Recorded decisions, a window after the other ──▶ `DriftWindow`: whether each differs from the reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, func, select

from feedback.database.tables import decision
from feedback.statistics.drift import REFERENCE, DriftVerdict, alarm_rate, drift
from models.errors import DataError

WINDOW = 500
"""Decisions in a window."""
ALARM_DAYS = 30.0
"""Time with at most one false alarm."""
_DAY_S = 86_400.0

Decisions = Sequence[Row[*tuple[Any, ...]]]


@dataclass(frozen=True)
class DriftOptions:
    """How drift is looked for.

    Attributes:
        window: decisions in a window.
        reference: the first recorded decisions, with which windows are compared.
        alarm_days: time with at most one false alarm, in days.
    """

    window: int = WINDOW
    reference: int = REFERENCE
    alarm_days: float = ALARM_DAYS


@dataclass(frozen=True)
class DriftWindow:
    """One window beside the reference.

    Attributes:
        first: time of its first decision.
        last: time of its last one.
        last_id: id of its last decision.
        decisions: their number.
        verdict: see `drift`.
        new: the decisions that make it differ, most of all first; none without an alarm.
    """

    first: datetime
    last: datetime
    last_id: int
    decisions: int
    verdict: DriftVerdict
    new: Decisions

    def as_document(self) -> dict[str, Any]:
        """For JSON."""
        shown = ("id", "request_id", "head", "label", "image_sha256")
        return {
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "last_id": self.last_id,
            "decisions": self.decisions,
            "statistic": self.verdict.statistic,
            "threshold": self.verdict.threshold,
            "alarm": self.verdict.alarm,
            "rate": self.verdict.rate,
            "parts": self.verdict.parts,
            "new": [{name: getattr(row, name) for name in shown} for row in self.new],
        }


def drift_windows(
    connection: Connection, head: str, options: DriftOptions, *, models: Sequence[str], after: int = 0
) -> Iterator[DriftWindow]:
    """Compares whole windows with the reference, oldest first.

    Args:
        connection: to the database.
        head: whose decisions; an image has one of each head that was asked.
        options: see `DriftOptions`.
        models: whose decisions, `name@version`: those of one embedder, since others' embeddings cannot be compared.
            Decisions whose embedding has another width than the newest one are skipped.
        after: id of the last decision that is not looked at any more.
    """
    reference = _decisions(connection, head, models, 0, options.reference)
    if len(reference) < options.reference:
        return
    at = max(after, reference[-1].id)
    while len(window := _decisions(connection, head, models, at, options.window)) == options.window:
        yield compare_window(reference, window, options)
        at = window[-1].id


def main_head(connection: Connection, models: Sequence[str]) -> str:
    """The head of some models with the most decisions; all images have one of it, unless callers ask for others.

    Raises:
        DataError: no decision is recorded.
    """
    count = func.count().label("count")
    of_head = select(decision.c["head"]).where(decision.c.model.in_(models)).group_by(decision.c["head"])
    head: str | None = connection.execute(of_head.order_by(count.desc(), decision.c["head"]).limit(1)).scalar()
    if head is None:
        raise DataError("no decision is recorded yet; send an image to a server that has TANDEM_FEEDBACK_URL")
    return head


def compare_window(reference: Decisions, window: Decisions, options: DriftOptions) -> DriftWindow:
    """Compares the decisions of a window with those of the reference, each image once."""
    after = _each_image_once(window)
    rows = [*_each_image_once(reference), *after]
    days = (window[-1].time - window[0].time).total_seconds() / _DAY_S
    rate = alarm_rate(days, options.alarm_days)
    verdict = drift(_embeddings(rows), _columns([row.columns for row in rows]), window=len(after), rate=rate)
    new = [after[position] for position in verdict.new.tolist()] if verdict.alarm else []
    return DriftWindow(window[0].time, window[-1].time, window[-1].id, len(window), verdict, new)


def _decisions(connection: Connection, head: str, models: Sequence[str], after: int, count: int) -> Decisions:
    size = func.length(decision.c.embedding)
    embedded = decision.c["head"] == head, decision.c.model.in_(models), decision.c.embedding.is_not(None)
    newest = select(size).where(*embedded).order_by(decision.c.id.desc()).limit(1).scalar_subquery()
    query = select(decision).where(*embedded, size == newest, decision.c.id > after).order_by(decision.c.id)
    return connection.execute(query.limit(count)).all()


def _each_image_once(rows: Decisions) -> Decisions:
    return list({row.image_sha256: row for row in rows}.values())


def _embeddings(rows: Decisions) -> NDArray[np.float32]:
    return np.stack([np.frombuffer(row.embedding, "<f2") for row in rows]).astype(np.float32)


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Each column's values, `[N]`: numbers where there are only numbers, else texts."""
    names = sorted({name for row in rows for name in row})
    return {name: _column([row.get(name) for row in rows]) for name in names}


def _column(values: Sequence[Any]) -> NDArray[Any]:
    present = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return np.array([np.nan if value is None else float(value) for value in values])
    return np.array([None if value is None else str(value) for value in values], object)
