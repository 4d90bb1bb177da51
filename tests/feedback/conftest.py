"""Databases that the tests of this folder share: SQLite always, PostgreSQL where its server is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback.database.database import Database
from tests.feedback.postgresql import postgresql_server


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with postgresql_server() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'feedback.db'}"
        return
    found: str = request.getfixturevalue("postgresql_url")
    yield found
    database = Database(found)
    with database.writing() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    database.close()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """An empty one, with its tables."""
    made = Database(url)
    made.migrate()
    yield made
    made.close()
