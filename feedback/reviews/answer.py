"""`Answer` ──▶ a row of `feedback`: what a person, or a system that knows it by now, says of one decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, delete, exists, insert, select

from feedback.database.database import Database
from feedback.database.tables import decision, feedback, of_bundle
from models.errors import BadFeedback, NotFound

LABELS_SHOWN = 20
LARGEST_VALUE = float(np.finfo(np.float32).max)
"""Largest number that a head can name, and so that can be an answer to it: heads compute in float32."""


@dataclass(frozen=True)
class Answer:
    """What is said of one decision.

    Attributes:
        request_id: of the request that was answered with the decision.
        index: of the image in it, from 0.
        head: whose decision; None where the image has one of `heads` alone, or of the default head.
        label: the right class; None for a head that names a number, or if nobody can tell.
        value: the right number; None for a head with classes, or if nobody can tell.
        cannot_tell: whether the image does not show it.
        by: who says so; None if that is not known.
        source: where from, such as `api` or `page`.
    """

    request_id: str
    index: int = 0
    head: str | None = None
    label: str | None = None
    value: float | None = None
    cannot_tell: bool = False
    by: str | None = None
    source: str = "api"


def record_answer(database: Database, answer: Answer, heads: Mapping[str, Sequence[str]], bundle: str) -> int:
    """Writes an answer; returns its id. The lease stays: if the reviewer undoes the answer, the decision comes back.

    Args:
        database: with the decision.
        answer: see `Answer`.
        heads: classes of the heads that serve, by name, the default head first; none for one that names a number.
        bundle: name of theirs; decisions of any version of it can be answered.

    Raises:
        NotFound: no such decision was recorded, or it is another bundle's.
        BadFeedback: the head has no such class, or the answer is not of the head's kind.
        DatabaseError: the database cannot be written.
    """
    with database.writing() as connection:
        found = _decision_of(connection, answer, heads, bundle)
        _check(answer, found, heads)
        said = insert(feedback).values(
            decision_id=found.id,
            label=answer.label,
            value=answer.value,
            by=answer.by,
            time=datetime.now(UTC),
            source=answer.source,
            cannot_tell=answer.cannot_tell,
        )
        (answer_id,) = connection.execute(said.returning(feedback.c.id)).one()
    return int(answer_id)


def undo_answer(database: Database, answer_id: int, bundle: str) -> None:
    """Takes an answer back; its decision waits for another one, unless there is one before.

    Raises:
        NotFound: there is no such answer to a decision of the bundle of this name.
        DatabaseError: the database cannot be written.
    """
    with database.writing() as connection:
        is_own = exists().where(decision.c.id == feedback.c.decision_id, of_bundle(bundle))
        query = delete(feedback).where(feedback.c.id == answer_id, is_own)
        if not connection.execute(query).rowcount:
            raise NotFound(f"bundle {bundle!r} has no answer {answer_id}; it may have been undone before")


def _decision_of(
    connection: Connection, answer: Answer, heads: Mapping[str, Sequence[str]], bundle: str
) -> Row[*tuple[Any, ...]]:
    """Id, head and model of the newest decision that the answer is about."""
    place = (decision.c.request_id == answer.request_id) & (decision.c["index"] == answer.index)
    query = select(decision.c.id, decision.c["head"], decision.c.model).where(place).order_by(decision.c.id.desc())
    rows = connection.execute(query).all()
    if not rows:
        raise NotFound(
            f"no decision on image {answer.index} of request {answer.request_id!r} is recorded; "
            "it may be younger than a second, not in the sample, or older than what is kept"
        )
    others, rows = rows, [row for row in rows if row.model.startswith(f"{bundle}@")]
    if not rows:
        raise NotFound(
            f"image {answer.index} of request {answer.request_id!r} was decided on by {others[0].model}; "
            f"here serves bundle {bundle!r}, so answer where that one serves"
        )
    recorded = list(dict.fromkeys(row.head for row in rows))
    wanted = answer.head
    if wanted is None:
        wanted = recorded[0] if len(recorded) == 1 else next((name for name in heads if name in recorded), None)
    found = next((row for row in rows if row.head == wanted), None)
    if found is None:
        raise NotFound(
            f"image {answer.index} of request {answer.request_id!r} has no decision of head {wanted!r}; "
            f"there are some of {', '.join(sorted(recorded))}"
        )
    return found


def _check(answer: Answer, found: Row[*tuple[Any, ...]], heads: Mapping[str, Sequence[str]]) -> None:
    """Checks that an answer is one that the head could give."""
    head: str = found.head
    if head not in heads:
        raise BadFeedback(f"head {head!r} is no longer served; there are {', '.join(heads)}")
    given = sum((answer.label is not None, answer.value is not None, answer.cannot_tell))
    kind = "label" if heads[head] else "value"
    if given != 1 or not (answer.cannot_tell or getattr(answer, kind) is not None):
        raise BadFeedback(f'an answer to head {head!r} has either a {kind!r} or "cannot_tell": true')
    if answer.label is not None and answer.label not in heads[head]:
        classes = heads[head]
        more = f" and {len(classes) - LABELS_SHOWN} others" if len(classes) > LABELS_SHOWN else ""
        raise BadFeedback(
            f"head {head!r} has no class {answer.label[:100]!r}; it has {', '.join(classes[:LABELS_SHOWN])}{more}"
        )
    if answer.value is not None and not abs(answer.value) <= LARGEST_VALUE:
        raise BadFeedback(
            f"the value is {answer.value}; it must be finite in float32, so at most {LARGEST_VALUE:.7g} either way"
        )
