"""decisions, the best to ask first ──▶ those that one reviewer holds for the time of a lease."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from feedback.database.tables import decision, feedback, lease

_REMEMBERED = timedelta(days=1)
"""How long a lease is kept after its end: its reviewer is given the decision first, unless another has leased it."""


def take_leases(
    connection: Connection, wanted: Sequence[int], count: int, *, reviewer: str, lease_s: float
) -> dict[int, datetime]:
    """Leases the first `count` decisions of `wanted` that nobody else has, and that are not answered meanwhile.

    Args:
        connection: in a transaction that writes.
        wanted: ids of decisions, the best first.
        count: how many at most.
        reviewer: who asks; the leases that this reviewer holds are renewed.
        lease_s: seconds.

    Returns:
        Until when, UTC, by the decisions' ids, in the order of `wanted`.
    """
    # SQLite has one writer at a time; elsewhere the rows' locks have reviewers take turns
    rows_of = select(decision.c.id).where(decision.c.id.in_(wanted))
    connection.execute(rows_of.order_by(decision.c.id).with_for_update()).all()
    now = datetime.now(UTC)
    taken = select(lease.c.decision_id).where(lease.c.until > now, lease.c.reviewer != reviewer)
    answered = select(feedback.c.decision_id)
    refused: set[int] = set()
    for query, column in ((taken, lease.c.decision_id), (answered, feedback.c.decision_id)):
        refused |= set(connection.execute(query.where(column.in_(wanted))).scalars())
    given = [decision_id for decision_id in wanted if decision_id not in refused][:count]
    until = now + timedelta(seconds=lease_s)
    connection.execute(delete(lease).where(lease.c.until < now - _REMEMBERED))
    if given:
        connection.execute(delete(lease).where(lease.c.decision_id.in_(given)))
        rows = [{"decision_id": decision_id, "reviewer": reviewer, "until": until} for decision_id in given]
        connection.execute(insert(lease), rows)
    return dict.fromkeys(given, until)
