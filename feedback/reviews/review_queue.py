"""Decisions that wait ──▶ those to look at first: audits, then reviews by what an answer is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, select

from feedback.database.database import Database
from feedback.database.tables import decision, feedback, for_people, lease, of_bundle
from feedback.reviews.leases import take_leases
from feedback.reviews.review_order import in_order, is_random_better
from models.errors import NotFound

LOOKED_THROUGH = 2000
"""Waiting audits, and other waiting decisions, that are put in order, the newest of each."""
ANSWERED = 500
"""Answered decisions whose likes need not be asked again, the newest."""
_SPARE = 50  # ranked beyond what is asked for, since another reviewer may have the first ones


@dataclass(frozen=True)
class Review:
    """One decision that waits for a person.

    Attributes:
        id: of the decision.
        kind: `audit` if it was drawn among the accepted ones, else `review`.
        row: its columns in the table `decision`, less the embedding.
        leased_until: until when nobody else is given it, UTC; None if it is not leased.
    """

    id: int
    kind: str
    row: dict[str, Any]
    leased_until: datetime | None = None


@dataclass(frozen=True)
class Progress:
    """How many decisions wait, and how many have been answered."""

    waiting: int
    answered: int


def next_reviews(
    database: Database, *, bundle: str, head: str | None, limit: int, reviewer: str, lease_s: float
) -> tuple[list[Review], Progress]:
    """What a reviewer should look at, best first; with a lease, behind what the reviewer was given before.

    Args:
        database: with the decisions.
        bundle: name of that whose decisions are shown, of any version: others may record in the same database.
        head: of whose decisions; None for all.
        limit: how many at most.
        reviewer: who asks.
        lease_s: how long nobody else is given them, in seconds; 0 leases nothing.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    wanted = of_bundle(bundle) if head is None else of_bundle(bundle) & (decision.c["head"] == head)
    with database.reading() as connection:
        waiting = _waiting(connection, wanted, reviewer)
        progress = _progress(connection, wanted)
        answered = _answered(connection, wanted)
        at_random = is_random_better(connection, bundle)
        own = _own(connection, reviewer) if lease_s else set()
    given = [_review(row) for row in waiting if row["id"] in own]
    others = [row for row in waiting if row["id"] not in own]
    count = limit + (_SPARE if lease_s else 0)
    best = given + [_review(row) for row in in_order(others, count, answered, at_random=at_random)]
    if not lease_s:
        return best[:limit], progress
    by_id = {review.id: review for review in best}
    with database.writing() as connection:
        leased = take_leases(connection, list(by_id), limit, reviewer=reviewer, lease_s=lease_s)
    return [replace(by_id[found], leased_until=until) for found, until in leased.items()], progress


def recorded_decision(database: Database, decision_id: str, bundle: str) -> dict[str, Any]:
    """Columns of a decision of the bundle of this name, by the text of its id.

    Raises:
        NotFound: there is none.
        DatabaseError: the database cannot be reached.
    """
    if decision_id.isascii() and decision_id.isdecimal() and len(decision_id) <= 18:
        with database.reading() as connection:
            query = select(decision).where(decision.c.id == int(decision_id), of_bundle(bundle))
            row = connection.execute(query).mappings().one_or_none()
        if row is not None:
            return dict(row)
    raise NotFound(f"bundle {bundle!r} has no decision {decision_id[:40]!r}; it may be older than what is kept")


def _waiting(connection: Connection, wanted: ColumnElement[bool], reviewer: str) -> list[dict[str, Any]]:
    """The newest decisions that wait and that nobody else looks at."""
    others = (
        (lease.c.decision_id == decision.c.id) & (lease.c.until > datetime.now(UTC)) & (lease.c.reviewer != reviewer)
    )
    answers = feedback.c.decision_id == decision.c.id
    query = select(decision).where(for_people, wanted, ~exists().where(answers), ~exists().where(others))
    newest = query.order_by(decision.c.id.desc()).limit(LOOKED_THROUGH)
    # every audit counts for the precision, so none is pushed out by a flood of reviews
    kinds = (newest.where(decision.c.audit), newest.where(~decision.c.audit))
    return [dict(row) for kind in kinds for row in connection.execute(kind).mappings()]


def _own(connection: Connection, reviewer: str) -> set[int]:
    """Decisions that this reviewer was given, and nobody else since: they come first, to be leased anew."""
    return set(connection.execute(select(lease.c.decision_id).where(lease.c.reviewer == reviewer)).scalars())


def _answered(connection: Connection, wanted: ColumnElement[bool]) -> list[bytes]:
    """Embeddings of the newest answered decisions."""
    newest = select(feedback.c.decision_id).order_by(feedback.c.id.desc()).limit(ANSWERED)
    query = select(decision.c.embedding).where(decision.c.id.in_(newest), decision.c.embedding.is_not(None), wanted)
    return list(connection.execute(query).scalars())


def _progress(connection: Connection, wanted: ColumnElement[bool]) -> Progress:
    every = connection.execute(select(func.count()).select_from(decision).where(for_people, wanted)).scalar_one()
    distinct = select(func.count(feedback.c.decision_id.distinct())).join(decision)
    answered = connection.execute(distinct.where(for_people, wanted)).scalar_one()
    return Progress(every - answered, answered)


def _review(row: dict[str, Any]) -> Review:
    shown = {name: value for name, value in row.items() if name != "embedding"}
    return Review(row["id"], "audit" if row["audit"] else "review", shown)
