"""What was measured ──▶ rows of `measurement`, for metrics and pages, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from feedback.database.tables import measurement

DRIFT, PRECISION, REVIEW_ORDER = "drift", "precision", "review_order"
"""Kinds: `DriftWindow`, `PrecisionMeasure` of a head, and which order of the review queue was shown to be better."""

KEPT = timedelta(days=90)
"""How long measurements are kept, for the curves of a page."""


class Measurement(NamedTuple):
    """One measurement: what it is, of which head (None for all), when, and its figures."""

    kind: str
    head: str | None
    time: datetime
    document: dict[str, Any]


def add_measurements(
    connection: Connection, bundle: str, found: Mapping[tuple[str, str | None], dict[str, Any]]
) -> None:
    """Writes documents of a bundle by kind and head, and drops those that are too old."""
    now = datetime.now(UTC)
    connection.execute(delete(measurement).where(measurement.c.time < now - KEPT))
    rows = [
        {"time": now, "bundle": bundle, "kind": kind, "head": head, "document": document}
        for (kind, head), document in found.items()
    ]
    if rows:
        connection.execute(insert(measurement), rows)


def newest_measurements(connection: Connection, bundle: str) -> list[Measurement]:
    """The newest one of each kind and head of a bundle."""
    keys = (measurement.c.kind, measurement.c["head"])
    newest = select(func.max(measurement.c.id)).where(measurement.c.bundle == bundle).group_by(*keys)
    query = select(measurement).where(measurement.c.id.in_(newest)).order_by(*keys)
    return [_measurement(row) for row in connection.execute(query).mappings()]


def measured_series(connection: Connection, bundle: str, kind: str, limit: int) -> list[Measurement]:
    """The newest measurements of one kind, oldest first."""
    own = select(measurement).where(measurement.c.bundle == bundle, measurement.c.kind == kind)
    query = own.order_by(measurement.c.id.desc()).limit(limit)
    return [_measurement(row) for row in connection.execute(query).mappings()][::-1]


def _measurement(row: Any) -> Measurement:
    return Measurement(row["kind"], row["head"], row["time"], row["document"])
