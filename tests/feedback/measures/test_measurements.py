"""`feedback.measures.measurements`: what was measured comes back, the newest of each kind, of one bundle."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import update

from feedback.database.database import Database
from feedback.database.tables import measurement
from feedback.measures.measurements import (
    DRIFT,
    KEPT,
    PRECISION,
    add_measurements,
    measured_series,
    newest_measurements,
)


def add(database: Database, bundle: str, number: int) -> None:
    with database.writing() as connection:
        found = {(PRECISION, "a"): {"n": number}, (PRECISION, "b"): {"n": number}, (DRIFT, None): {"n": number}}
        add_measurements(connection, bundle, found)


def test_the_newest_of_each_kind_and_head_are_those_of_the_bundle(database: Database) -> None:
    for bundle, number in (("shop", 1), ("shop", 2), ("other", 3)):
        add(database, bundle, number)
    with database.reading() as connection:
        found = {(each.kind, each.head): each.document["n"] for each in newest_measurements(connection, "shop")}
        assert found == {(PRECISION, "a"): 2, (PRECISION, "b"): 2, (DRIFT, None): 2}
        assert [each.document["n"] for each in measured_series(connection, "shop", DRIFT, 5)] == [1, 2]
        assert [each.document["n"] for each in measured_series(connection, "shop", DRIFT, 1)] == [2]
        assert newest_measurements(connection, "none") == []


def test_what_is_too_old_is_dropped(database: Database) -> None:
    add(database, "shop", 1)
    with database.writing() as connection:
        connection.execute(update(measurement).values(time=datetime.now(UTC) - 2 * KEPT))
    add(database, "shop", 2)
    with database.reading() as connection:
        assert [each.document["n"] for each in measured_series(connection, "shop", DRIFT, 5)] == [2]
