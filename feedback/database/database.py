"""URL ──▶ `Database`: connections to SQLite or PostgreSQL, and the schema brought up to date."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from feedback.database.sqlite_file import LOCK_WAIT_S, begin, identity_of, log_of, remove_log, set_up
from models.errors import TandemError

logger = logging.getLogger(__name__)

SCHEMA = "0001"
"""Alembic's name of the newest schema."""

_NO_FILE = (0, 0)
"""Identity that no file has."""
_MIGRATION_LOCK = 0x7461_6E64_656D  # any number that no other user of the PostgreSQL database takes
_POSTGRESQL_WAITS = {
    "connect_timeout": 3,
    "options": f"-c lock_timeout={LOCK_WAIT_S:.0f}s -c statement_timeout=30s -c timezone=UTC",
    # A host that is gone without a word is noticed within 20 s
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}


class DatabaseError(TandemError):
    """The feedback database cannot be opened, reached or written; the message never shows a password."""


class Database:
    """The feedback database. Making it does not connect.

    Args:
        url: `sqlite:///FILE` or `postgresql+psycopg://…`, as SQLAlchemy reads it.

    Raises:
        DatabaseError: not such a URL.
    """

    def __init__(self, url: str | URL) -> None:
        parsed = _checked(url)
        self.name = parsed.render_as_string(hide_password=True)
        """The URL without its password."""
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.file = Path(parsed.database) if self.is_sqlite and parsed.database and "uri" not in parsed.query else None
        """Of SQLite; None where the URL is in SQLite's own form, `file:…?uri=true`."""
        self._opened: tuple[int, int] | None = None
        self._log: tuple[int, int] | None = None
        self._following = threading.Lock()
        if self.is_sqlite:
            self.engine: Engine = sqlalchemy.create_engine(parsed, connect_args={"timeout": LOCK_WAIT_S})
            event.listen(self.engine, "connect", set_up)
            event.listen(self.engine, "connect", self._remember_file)
            event.listen(self.engine, "begin", begin)
        else:
            self.engine = sqlalchemy.create_engine(parsed, pool_pre_ping=True, connect_args=_POSTGRESQL_WAITS)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries.

        Raises:
            DatabaseError: it cannot be reached, or a statement fails.
        """
        with self._errors_named():
            self._follow_file()
            with self.engine.connect().execution_options(tandem_reads=True) as connection:
                yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block; in SQLite it is the only writer from its start.

        Raises:
            DatabaseError: it cannot be reached, or a statement or the commit fails.
        """
        with self._errors_named():
            self._follow_file()
            with self.engine.begin() as connection:
                yield connection

    def migrate(self) -> None:
        """Makes the tables, or brings them up to date; several processes may do so at once.

        Raises:
            DatabaseError: it cannot be reached or written, or has a newer schema than this version knows.
        """
        with self.writing() as connection:
            self._migrate(connection)

    def close(self) -> None:
        """Closes its connections."""
        self.engine.dispose()
        self._opened = None

    def _migrate(self, connection: Connection) -> None:
        if not self.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        if _schema_of(connection) != SCHEMA:
            _upgrade(connection, self.name)

    def _remember_file(self, *_: Any) -> None:
        if self._opened is None:
            self._opened, self._log = identity_of(self.file), identity_of(log_of(self.file))

    def _follow_file(self) -> None:
        """Goes on with the file that is there now, where SQLite's was deleted or replaced.

        Rows would be lost without an error in the old one, which has no name any more.
        """
        if self.file is None or self._opened is None or identity_of(self.file) == self._opened:
            return
        with self._following:
            if self._opened is None or identity_of(self.file) == self._opened:
                return  # another thread has done so
            remove_log(self.file, self._log)  # before its last connection is closed: inodes are used again
            self._opened, self._log = _NO_FILE, None  # so that no other thread takes the new file for the old one
            self.engine.dispose()
            with self.engine.begin() as connection:
                self._migrate(connection)
            self._opened, self._log = identity_of(self.file), identity_of(log_of(self.file))
        logger.warning("%s was deleted or replaced while it was open; the file that is there now is used", self.name)

    @contextlib.contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise DatabaseError(f"{self.name}: {' '.join(str(error.orig).split())}") from error
        except SQLAlchemyError as error:
            raise DatabaseError(f"{self.name}: {' '.join(str(error).split())[:300]}") from error


def _checked(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise DatabaseError(f"the feedback database is SQLite or PostgreSQL, not {parsed.get_backend_name()}")
        parsed.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError):
        raise DatabaseError(
            "the feedback database's URL is not one of sqlite:///FILE and postgresql+psycopg://USER@HOST/NAME"
        ) from None
    except ImportError as error:
        raise DatabaseError(
            f"the feedback database needs the package {error.name}: pip install 'tandem[feedback]'"
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise DatabaseError("the feedback database's URL names no file: sqlite:///FILE, or sqlite:////FOLDER/FILE")
    return parsed


def _schema_of(connection: Connection) -> str | None:
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _upgrade(connection: Connection, name: str) -> None:
    # Alembic takes longer to import than all else here, and nearly every start finds the schema up to date
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "feedback.database:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseError(
            f"{name}: its schema is newer than this version of Tandem, or not Tandem's ({error})"
        ) from error
