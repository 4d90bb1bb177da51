"""`feedback.database.database`: connections, the schema, and errors that name what is wrong and show no password."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, select

from feedback.database import tables
from feedback.database.database import SCHEMA, Database, DatabaseError

ROW = {
    "request_id": "r1",
    "index": 0,
    "time": datetime(2026, 11, 30, 12, 0, 0, 250_000, UTC),
    "model": "shop@1",
    "head": "category",
    "label": "Bag",
    "confidence": 0.5,
    "decision": "review",
    "reasons": ["low_confidence"],
    "columns": {"price": 1.5},
    "image_sha256": "0" * 64,
    "embedding": b"\x00\x3c",
    "probability": 1.0,
    "audit": False,
}


def test_migrations_leave_the_tables_that_the_code_has(database: Database) -> None:
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == SCHEMA


def test_a_row_comes_back_as_it_was_written(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(insert(tables.decision), [ROW])
    with database.reading() as connection:
        row = connection.execute(select(tables.decision)).mappings().one()
    assert {name: row[name] for name in ROW} == ROW
    assert row["time"].tzinfo is UTC


def test_what_is_said_of_a_decision_goes_with_it(database: Database) -> None:
    with database.writing() as connection:
        key = connection.execute(insert(tables.decision), [ROW]).inserted_primary_key
        (decision_id,) = key if key else connection.execute(select(tables.decision.c.id)).one()
        said = {"decision_id": decision_id, "time": ROW["time"], "source": "api", "cannot_tell": True}
        connection.execute(insert(tables.feedback), said)
        connection.execute(tables.decision.delete())
        assert connection.execute(select(func.count()).select_from(tables.feedback)).scalar() == 0


def test_several_processes_may_bring_the_schema_up_to_date_at_once(url: str) -> None:
    databases = [Database(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(Database.migrate, databases))
    for database in databases:
        database.close()


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def write() -> None:
        with database.writing() as connection:
            connection.execute(insert(tables.decision), [ROW])
            connection.execute(insert(tables.decision), [{**ROW, "request_id": None}])

    with pytest.raises(DatabaseError, match="request_id"):
        write()
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(tables.decision)).scalar() == 0


def test_a_newer_schema_is_left_alone(database: Database) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'")
    with pytest.raises(DatabaseError, match="newer than this version of Tandem"):
        database.migrate()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("feedback.db", "is not one of sqlite:///FILE", id="no URL"),
        pytest.param("mysql://host/name", "is SQLite or PostgreSQL, not mysql", id="another database"),
        pytest.param("sqlite://", "names no file", id="a database in memory"),
    ],
)
def test_other_urls_are_refused(url: str, said: str) -> None:
    with pytest.raises(DatabaseError, match=said):
        Database(url)


@pytest.mark.parametrize("is_restored", [False, True])
def test_a_file_that_is_deleted_or_replaced_is_left_for_the_one_that_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, is_restored: bool
) -> None:
    file, backup = tmp_path / "feedback.db", tmp_path / "backup.db"
    database = Database(f"sqlite:///{file}")
    database.migrate()
    write(database, "before")
    shutil.copy(file, backup)
    for found in tmp_path.glob("feedback.db*"):
        found.unlink()
    if is_restored:
        backup.rename(file)
    write(database, "after")
    write(database, "after that")
    database.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "deleted or replaced while it was open" in caplog.text
    with contextlib.closing(sqlite3.connect(file)) as connection:
        ids = [name for (name,) in connection.execute("SELECT request_id FROM decision ORDER BY id")]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert ids[-2:] == ["after", "after that"]


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """Threads take turns a hundred times as often as by default, so that races show."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 100)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("impatient_threads")
@pytest.mark.parametrize("number", range(30))
def test_threads_go_on_with_a_new_file_at_once(number: int, tmp_path: Path) -> None:
    """The new file may have the inode of the old one."""
    database = Database(f"sqlite:///{tmp_path}/feedback.db")
    database.migrate()
    for found in tmp_path.glob("feedback.db*"):
        found.unlink()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda row: write(database, f"{number}-{row}"), range(8)))
    with database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(tables.decision)).scalar() == 8
    database.close()


def test_the_log_of_a_file_that_was_replaced_does_not_spoil_the_new_one(tmp_path: Path) -> None:
    file, backup = tmp_path / "feedback.db", tmp_path / "backup.db"
    databases = [Database(f"sqlite:///{file}") for _ in range(2)]
    for database in databases:
        database.migrate()
    names = [f"r{number}" for number in range(100)]
    for name in names:
        write(databases[0], name)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))
    write(databases[0], "lost with the old file")
    backup.rename(file)
    for database in databases * 2:
        write(database, "after")
    for database in databases:
        database.close()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ids = [name for (name,) in connection.execute("SELECT request_id FROM decision ORDER BY id")]
    assert ids == [*names, *["after"] * 4]


def write(database: Database, request_id: str) -> None:
    with database.writing() as connection:
        connection.execute(insert(tables.decision), [{**ROW, "request_id": request_id}])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/none/feedback.db")
    with pytest.raises(DatabaseError, match="unable to open database file"):
        database.migrate()


def test_no_error_shows_a_password() -> None:
    database = Database("postgresql+psycopg://tandem:secret@127.0.0.1:1/none")
    with pytest.raises(DatabaseError) as caught:
        database.migrate()
    assert "127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_alembic_is_not_imported_where_the_schema_is_up_to_date(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'feedback.db'}"
    Database(url).migrate()
    program = (
        "import sys; from feedback.database.database import Database; "
        f"Database({url!r}).migrate(); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
