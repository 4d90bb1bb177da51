"""Rows of the table `decision`, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select

from feedback.database.database import Database
from feedback.database.tables import decision

START = datetime(2026, 11, 30, 12, tzinfo=UTC)
WIDTH = 4


def decision_row(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A decision that waits for review, of a request of its own."""
    row = {
        "request_id": f"request-{number}",
        "index": 0,
        "time": START + timedelta(seconds=number),
        "model": "shop@1",
        "head": "category",
        "label": "Bag",
        "value": None,
        "confidence": 0.5,
        "distance": None,
        "decision": "review",
        "reasons": ["low_confidence"],
        "columns": {},
        "image_sha256": f"{number:064x}",
        "embedding": blob(np.full(WIDTH, number)),
        "probability": 1.0,
        "audit": False,
    }
    return row | changes


def blob(embedding: NDArray[Any]) -> bytes:
    """An embedding as the database has it."""
    return embedding.astype("<f2").tobytes()


def add_decisions(database: Database, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Writes rows; returns their ids in order."""
    with database.writing() as connection:
        before = set(connection.execute(select(decision.c.id)).scalars())
        connection.execute(insert(decision), list(rows))
        return sorted(set(connection.execute(select(decision.c.id)).scalars()) - before)
