"""`metadata`: the tables of the feedback database, as migrations leave them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    func,
    text,
)


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone, UTC; SQLite itself keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Any) -> datetime | None:
        """Moves the time to UTC, which SQLite would not."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: Any) -> datetime | None:
        """Adds the zone where the database gave none."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts rows up by INTEGER alone
_Time = UtcTime()

decision = Table(
    "decision",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("request_id", String(128), nullable=False),
    Column("index", Integer, nullable=False),
    Column("time", _Time, nullable=False),
    Column("model", String(128), nullable=False),
    Column("head", String(64), nullable=False),
    Column("label", Text),
    Column("value", Float),
    Column("confidence", Float),
    Column("distance", Float),
    Column("decision", String(16), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("columns", JSON, nullable=False),
    Column("image_sha256", String(64), nullable=False),
    Column("embedding", LargeBinary),
    Column("probability", Float, nullable=False),
    Column("audit", Boolean, nullable=False),
)
"""One head's decision on one image.

`request_id` and `index` (from 0) name the image, `time` is UTC, `model` is `name@version`; `label` and `confidence` are
of a head with classes, `value` of one that names a number. `embedding` is little-endian float16 `[D]`. `probability` is
that of being sampled: of an accepted decision, of being chosen as an audit. An accepted decision with `audit` waits for
a person only because it was drawn.
"""

Index("ix_decision_request", decision.c.request_id, decision.c["index"], decision.c["head"])
Index("ix_decision_time", decision.c.time)
_FOR_PEOPLE = "audit OR decision = 'review'"
Index(
    "ix_decision_for_people", decision.c["head"], decision.c.id, decision.c.model,
    sqlite_where=text(_FOR_PEOPLE), postgresql_where=text(_FOR_PEOPLE),
)  # fmt: skip
for_people = text("(decision.audit OR decision.decision = 'review')")
"""Which decisions a person is asked about; in the words of the index, by which SQLite knows that it may use it."""


def of_bundle(name: str, model: ColumnElement[str] = decision.c.model) -> ColumnElement[bool]:
    """What any version of a bundle has decided, by the exact start of `model`: to `LIKE`, `_` means any letter."""
    start = f"{name}@"
    return func.substr(model, 1, len(start)) == start


feedback = Table(
    "feedback",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("decision_id", _Id, ForeignKey("decision.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("label", Text),
    Column("value", Float),
    Column("by", String(128)),
    Column("time", _Time, nullable=False),
    Column("source", String(32), nullable=False),
    Column("cannot_tell", Boolean, nullable=False),
)
"""What a person, or a system that knows it by now, said of a decision; of several, the newest counts."""

shadow = Table(
    "shadow",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("decision_id", _Id, ForeignKey("decision.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("model", String(128), nullable=False),
    Column("label", Text),
    Column("value", Float),
    Column("confidence", Float),
    Column("decision", String(16), nullable=False),
)
"""What the shadow model decides on the same image, by the same head."""

image = Table(
    "image",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("time", _Time, nullable=False, index=True),
)
"""An encoded image that is kept in a folder or object store, and the time of the last decision on it."""

lease = Table(
    "lease",
    metadata,
    Column("decision_id", _Id, ForeignKey("decision.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("reviewer", String(128), nullable=False),
    Column("until", _Time, nullable=False),
)
"""Who looks at a decision, and until when nobody else is given it."""

writer = Table(
    "writer",
    metadata,
    Column("token", _Id, primary_key=True, autoincrement=False),
    Column("batch", BigInteger, nullable=False),
    Column("time", _Time, nullable=False),
)
"""The last batch that each recording process has committed: a batch whose commit got no answer is not written twice."""

measurement = Table(
    "measurement",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("time", _Time, nullable=False),
    Column("bundle", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("head", String(64)),
    Column("document", JSON, nullable=False),
)
"""What `python -m feedback watch` measured: live precision and drift, for metrics and pages."""

Index("ix_measurement_kind", measurement.c.bundle, measurement.c.kind, measurement.c["head"], measurement.c.id)
