"""`feedback.measures.drift_measure`: windows of the record beside its first decisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from feedback.database.database import Database
from feedback.measures.drift_measure import DriftOptions, DriftWindow, drift_windows, main_head
from models.errors import DataError
from tests.feedback.decisions import add_decisions, blob, decision_row

OPTIONS = DriftOptions(window=100, reference=300)


def rows(start: int, count: int, shift: float = 0.0, **changes: Any) -> list[dict[str, Any]]:
    embeddings = np.random.default_rng(start).normal(shift, 1, (count, 8))
    return [decision_row(start + at, embedding=blob(row), **changes) for at, row in enumerate(embeddings)]


def windows(database: Database, after: int = 0, models: tuple[str, ...] = ("shop@1",)) -> list[DriftWindow]:
    with database.reading() as connection:
        return list(drift_windows(connection, "category", OPTIONS, models=models, after=after))


def test_a_window_that_differs_is_told_with_its_newest_images(database: Database) -> None:
    strange = rows(500, 20, shift=4.0)
    add_decisions(database, [*rows(0, 400), *rows(420, 80), *strange, *rows(600, 50)])
    same, other = windows(database)
    assert not same.verdict.alarm
    assert same.as_document()["new"] == []
    assert other.verdict.alarm
    document = other.as_document()
    assert {row["image_sha256"] for row in document["new"]} == {row["image_sha256"] for row in strange}
    assert document["decisions"] == 100
    assert document["statistic"] > document["threshold"]
    assert (document["from"], document["to"]) == (other.first.isoformat(), other.last.isoformat())


def test_windows_that_were_looked_at_are_not_looked_at_again(database: Database) -> None:
    add_decisions(database, rows(0, 500))
    first, second = windows(database)
    assert [window.last_id for window in windows(database, after=first.last_id)] == [second.last_id]
    assert windows(database, after=second.last_id) == []


def test_one_image_that_comes_again_and_again_is_one_image(database: Database) -> None:
    again = [decision_row(900, embedding=blob(np.full(8, 4.0))) for _ in range(60)]
    add_decisions(database, [*rows(0, 340), *again])
    (window,) = windows(database)
    assert not window.verdict.alarm


def test_columns_drift_too(database: Database) -> None:
    cheap = [row | {"columns": {"price": float(at % 50), "shop": None}} for at, row in enumerate(rows(0, 400))]
    dear = [row | {"columns": {"price": 100.0, "shop": "new"}} for row in rows(400, 100)]
    add_decisions(database, [*cheap, *dear])
    same, other = windows(database)
    assert (same.verdict.alarm, other.verdict.alarm) == (False, True)
    assert next(iter(other.verdict.parts)).startswith("column ")


def test_embeddings_of_another_model_are_not_compared(database: Database) -> None:
    add_decisions(database, [*rows(0, 300), *rows(300, 100, shift=9.0, model="shop@2"), *rows(400, 100)])
    (window,) = windows(database)
    assert not window.verdict.alarm


def test_embeddings_of_another_width_than_the_newest_are_skipped(database: Database) -> None:
    narrow = [decision_row(2000 + at, embedding=blob(np.zeros(5))) for at in range(150)]
    add_decisions(database, [*narrow[:100], *rows(0, 350), *narrow[100:], *rows(350, 50)])
    (window,) = windows(database)
    assert (window.decisions, window.verdict.alarm) == (100, False)


def test_the_head_with_the_most_decisions_tells_of_the_images(database: Database) -> None:
    with database.reading() as connection, pytest.raises(DataError, match="no decision is recorded"):
        main_head(connection, ["shop@1"])
    of_another = [decision_row(at, model="other@1", head="other") for at in range(3, 9)]
    add_decisions(database, [decision_row(0, head="price"), decision_row(1), decision_row(2), *of_another])
    with database.reading() as connection:
        assert main_head(connection, ["shop@1"]) == "category"
