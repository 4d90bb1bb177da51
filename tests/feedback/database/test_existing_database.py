"""`feedback.database.existing_database`: what is there is opened, and nothing else is made or changed."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select

from feedback.__main__ import main
from feedback.database.database import Database, DatabaseError
from feedback.database.existing_database import open_existing
from feedback.database.tables import decision


def test_what_a_server_has_made_is_opened(database: Database) -> None:
    opened = open_existing(database.engine.url.render_as_string(hide_password=False))
    with opened.reading() as connection:
        assert connection.execute(select(decision.c.id)).all() == []
    opened.close()


def test_a_database_without_tables_is_left_so(url: str) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).touch()
    with pytest.raises(DatabaseError, match="no tables, not those that a server"):
        open_existing(url)
    with pytest.raises(DatabaseError, match="no tables, not those that a server"):
        open_existing(url)


def test_a_misspelt_file_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["report"], ["drift"], ["watch", "--once"], ["forget", "--request", "r1"]):
        assert main([*command, "--feedback", f"sqlite:///{tmp_path}/typo.db"]) == 2
        assert (
            capsys.readouterr()
            .err.strip()
            .endswith("typo.db: no such file; a server with TANDEM_FEEDBACK_URL makes it")
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        pytest.param("CREATE TABLE invoice (id INTEGER)", "another application's tables", id="no migrations"),
        pytest.param("CREATE TABLE alembic_version AS SELECT '0001' AS version_num", "another", id="migrations"),
        pytest.param("CREATE TABLE decision (id INTEGER)", "another application's tables", id="a table of that name"),
    ],
)
def test_another_application_s_file_is_not_changed(tmp_path: Path, statement: str, said: str) -> None:
    file = tmp_path / "foreign.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()
    before = file.read_bytes()
    with pytest.raises(DatabaseError, match=said):
        open_existing(f"sqlite:///{file}")
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no database" * 100)
    with pytest.raises(DatabaseError, match=r"notes\.txt: file is not a database"):
        open_existing(f"sqlite:///{file}")
