"""database ──▶ `AnsweredDecision`: what people said of a head's decisions, the newest answer of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from feedback.database.database import Database
from feedback.database.tables import decision, of_bundle
from feedback.reviews.newest_answer import newest_answers


@dataclass(frozen=True)
class AnsweredDecision:
    """A decision and its newest answer.

    Attributes:
        model: that decided, `name@version`.
        label: the right class; None for numbers.
        value: the right number; None for classes.
        answered: when it was answered, UTC.
        accepted: whether the decision was `accept`.
        audit: whether it waits for a person only because it was drawn.
        probability: of being asked about: of an accepted decision, of being drawn as an audit.
        columns: as the head takes them.
        image_sha256: of the encoded image, hexadecimal.
        embedding: little-endian float16 `[D]`; None if it was not recorded.
    """

    model: str
    label: str | None
    value: float | None
    answered: datetime
    accepted: bool
    audit: bool
    probability: float
    columns: Mapping[str, Any]
    image_sha256: str
    embedding: bytes | None


def answered_decisions(database: Database, bundle: str, head: str) -> list[AnsweredDecision]:
    """The answered decisions of a head, of any version of a bundle, by time; what nobody can tell is left out.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    answer = newest_answers()
    wanted = ("model", "audit", "probability", "columns", "image_sha256", "embedding")
    query = (
        select(
            *(decision.c[name] for name in wanted),
            (decision.c.decision == "accept").label("accepted"),
            answer.c.label,
            answer.c.value,
            answer.c.time.label("answered"),
        )
        .join(answer, answer.c.decision_id == decision.c.id)
        .where(of_bundle(bundle), decision.c["head"] == head, answer.c.cannot_tell.is_(False))
        .order_by(answer.c.id)
    )
    with database.reading() as connection:
        return [AnsweredDecision(**dict(row)) for row in connection.execute(query).mappings()]
