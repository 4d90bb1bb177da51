"""URL ──▶ `Database` that a server has made: commands open what is there, and make nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import sqlalchemy

from feedback.database.database import Database, DatabaseError
from feedback.database.sqlite_file import LOCK_WAIT_S

_OURS = {"alembic_version", "decision", "feedback"}
"""Tables that every schema has had; another application may have one of them."""


def open_existing(url: str) -> Database:
    """The database with that URL, its schema brought up to date; a misspelt one is neither made nor changed.

    Raises:
        DatabaseError: there is none, it is another application's, or it cannot be reached or written.
    """
    database = Database(url)
    try:
        found = _tables(database) if database.file is None else _tables_in(database.file, database.name)
        if not found >= _OURS:
            what = "another application's tables" if found else "no tables"
            raise DatabaseError(f"{database.name}: {what}, not those that a server with TANDEM_FEEDBACK_URL makes")
        database.migrate()
    except DatabaseError:
        database.close()
        raise
    return database


def _tables(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(sqlalchemy.inspect(connection).get_table_names())


def _tables_in(file: Path, name: str) -> set[str]:
    """By a connection that changes nothing; that of `Database` sets the mode of the file's log."""
    if not file.exists():
        raise DatabaseError(f"{name}: no such file; a server with TANDEM_FEEDBACK_URL makes it")
    try:
        with contextlib.closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_WAIT_S)
        ) as connection:
            return {table for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise DatabaseError(f"{name}: {error}") from error
