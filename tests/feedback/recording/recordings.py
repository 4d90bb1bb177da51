"""Decided images as a server hands them to the recorder, and what the database then has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from feedback.database.database import Database
from feedback.database.tables import decision
from models.bundle.head_spec import HeadSpec
from models.columns import Column, ColumnValue
from models.policy import Policy
from models.runtime.engine_types import HeadOutput, Result
from models.runtime.head_answers import Answered, answer_image
from tests.chaos.rig import servers

PATIENCE_S = 20.0
SHADE = HeadSpec(
    name="shade", kind="by_hand", classes=("dark", "bright"), columns=(Column(name="place", type="category"),),
    policy=Policy(min_confidence=0.6, max_distance=2.0),
)  # fmt: skip
PRICE = HeadSpec(name="price", kind="by_hand", task="regression")


def answered(
    image: bytes = b"an image",
    *,
    confidence: float = 0.9,
    place: int = 0,
    columns: Mapping[str, ColumnValue] | None = None,
    heads: tuple[HeadSpec, ...] = (SHADE,),
) -> Answered:
    """An image that the head `shade` calls bright, and the head `price` 2.5."""
    outputs = {
        "shade": HeadOutput(np.array([1 - confidence, confidence], np.float32), columns or {"place": None}, 0.5),
        "price": HeadOutput(np.array([2.5], np.float32), {}),
    }
    result = Result(np.array([0.5, -1.25, 1e6], np.float32), outputs, 0.0, 0.0, 0.0, 0.0)
    return answer_image(place, image, result, heads)


def rows(database: Database) -> list[dict[str, Any]]:
    """All recorded decisions in the order in which they were written."""
    with database.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(decision.select().order_by(decision.c.id))]


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits until the condition holds."""
    servers.until(condition, PATIENCE_S, what)
