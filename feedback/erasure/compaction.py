"""deleted rows ──▶ no byte of them left in the database's files."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from feedback.database.database import Database, DatabaseError
from feedback.database.tables import metadata

PATIENCE_S = 60.0
"""How long others may keep the database from being rewritten."""
_RETRY_S = 0.2


def compact(database: Database) -> None:
    """Rewrites the tables without what was deleted.

    SQLite: the whole file, then its write-ahead log is emptied. PostgreSQL: each table and its indexes; its write-ahead
    log is the server's, which overwrites it in time. Recorders wait meanwhile; responses do not.

    Raises:
        DatabaseError: others read or write all the time, or there is no room for a copy.
    """
    if database.is_sqlite:
        with _connection(database) as connection:
            _until_done(database, lambda: connection.execute("VACUUM").close() is None)
            _until_done(database, lambda: _empty_log(connection))
    else:
        with _connection(database) as connection:
            connection.autocommit = True
            connection.execute("SET statement_timeout = 0")  # of a large table it takes minutes
            names = ", ".join(sorted(metadata.tables))
            _until_done(database, lambda: connection.execute(f"VACUUM (FULL) {names}") is not None)


def _empty_log(connection: Any) -> bool:
    is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy


@contextlib.contextmanager
def _connection(database: Database) -> Iterator[Any]:
    """The driver's connection, without a transaction, and with its errors as ours."""
    raw = None
    try:
        raw = database.engine.raw_connection()
        yield raw.driver_connection
    except database.engine.dialect.loaded_dbapi.Error as error:
        raise DatabaseError(f"{database.name}: {' '.join(str(error).split())}") from error
    finally:
        if raw is not None:
            raw.invalidate()


def _until_done(database: Database, step: Callable[[], bool]) -> None:
    """Repeats what others may keep from being done."""
    end = time.monotonic() + PATIENCE_S
    while True:
        reason = "others read it all the time"
        try:
            if step():
                return
        except database.engine.dialect.loaded_dbapi.OperationalError as error:
            reason = " ".join(str(error).split())
        if time.monotonic() > end:
            raise DatabaseError(
                f"{database.name}: deleted rows are still in its files after {PATIENCE_S:g} s ({reason}); run it again"
            )
        time.sleep(_RETRY_S)
