"""`Batch` ──▶ the database: one transaction, and never twice."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from feedback.database.database import Database, DatabaseError
from feedback.database.tables import writer
from feedback.recording.batch import Batch
from feedback.recording.decision_rows import COLUMNS, Row

_ROWS_AT_ONCE = 64
"""Rows of one statement: the driver lets other threads run once a statement, not once a row."""
_UPDATE_IMAGE = " ON CONFLICT (sha256) DO UPDATE SET time = excluded.time WHERE image.time < excluded.time"
_WRITERS_KEPT = timedelta(days=7)


class BatchWriter:
    """Writes the batches of one process.

    A commit whose answer is lost, as when the connection breaks, may have taken place. So each transaction also
    stores its number under the token of this process, and a batch whose number is there is not written again.

    Args:
        database: need not be reachable yet.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._token = secrets.randbits(62)
        self._has_tables = False
        self._mark = "?" if database.is_sqlite else "%s"
        dialect = database.engine.dialect
        self._process_time = writer.c.time.type.dialect_impl(dialect).bind_processor(dialect)

    def to_time(self, at: datetime) -> Any:
        """What the driver takes for a time."""
        return at if self._process_time is None else self._process_time(at)

    def write(self, batch: Batch) -> None:
        """Writes a batch, unless it has been written.

        Args:
            batch: of the same number each time that it is tried.

        Raises:
            DatabaseError: it may be tried again, unless `is_refused`.
        """
        try:
            self._write(batch)
        except DatabaseError:
            self.database.close()  # a connection that failed may be half dead; the next try makes another
            self._has_tables = False
            raise

    def _write(self, batch: Batch) -> None:
        if not self._has_tables:
            self.database.migrate()
            self._forget_old_writers()
            self._has_tables = True
        with self.database.writing() as connection:
            if self._is_new(connection, batch.number):
                self._insert(connection, "decision", COLUMNS, batch.rows)
                self._insert(connection, "image", ("sha256", "time"), batch.image_rows(), _UPDATE_IMAGE)

    def _is_new(self, connection: Connection, number: int) -> bool:
        """Stores the number of a batch; False if it is there already."""
        found = connection.exec_driver_sql(
            f"INSERT INTO writer (token, batch, time) VALUES ({self._mark}, {self._mark}, {self._mark}) "  # noqa: S608
            "ON CONFLICT (token) DO UPDATE SET batch = excluded.batch, time = excluded.time "
            "WHERE writer.batch < excluded.batch RETURNING batch",
            (self._token, number, self.to_time(datetime.now(UTC))),
        )
        return found.first() is not None

    def _insert(
        self,
        connection: Connection,
        table: str,
        columns: tuple[str, ...],
        rows: Sequence[Row],
        end: str = "",
    ) -> None:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
            statement = _insert_statement(table, columns, len(some), self._mark)
            connection.exec_driver_sql(statement + end, tuple(chain.from_iterable(some)))

    def _forget_old_writers(self) -> None:
        """Removes the numbers of processes that ended long ago."""
        with self.database.writing() as connection:
            connection.execute(writer.delete().where(writer.c.time < datetime.now(UTC) - _WRITERS_KEPT))


@lru_cache(maxsize=2 * _ROWS_AT_ONCE)
def _insert_statement(table: str, columns: tuple[str, ...], rows: int, mark: str) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    values = f"({', '.join([mark] * len(columns))})"
    return f"INSERT INTO {table} ({names}) VALUES {', '.join([values] * rows)}"  # noqa: S608 (our own names)


def is_refused(error: DatabaseError) -> bool:
    """Whether the database is well and refuses a value, so that trying again is of no use."""
    return isinstance(error.__cause__, DataError | IntegrityError)
