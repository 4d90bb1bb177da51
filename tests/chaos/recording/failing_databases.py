"""Databases that fail while they are written: `begin` has one fail, `end` mends it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from feedback.database.database import Database
from tests.feedback.postgresql import postgresql_server

_SLOW_WRITES = """
    CREATE TABLE seconds_of_a_write (seconds float);
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(seconds) FROM seconds_of_a_write; RETURN NULL; END $$;
    CREATE TRIGGER slow AFTER INSERT ON decision EXECUTE FUNCTION slow()
"""
_FULL_MB = 96


class FailingDatabase(NamedTuple):
    """A database's URL, and how it is made to fail."""

    url: str
    begin: Callable[[], object]
    end: Callable[[], object]


@contextlib.contextmanager
def killed(_: Path) -> Iterator[FailingDatabase]:
    """PostgreSQL, all of whose processes end at once."""
    with postgresql_server() as server:
        yield FailingDatabase(server.url, server.kill, server.start)


@contextlib.contextmanager
def slow(_: Path) -> Iterator[FailingDatabase]:
    """PostgreSQL, where each write takes two seconds."""
    with postgresql_server() as server:
        database = Database(server.url)

        def run(statement: str) -> None:
            with database.writing() as connection:
                connection.exec_driver_sql(statement)

        database.migrate()
        run(_SLOW_WRITES)
        yield FailingDatabase(
            server.url,
            lambda: run("INSERT INTO seconds_of_a_write VALUES (2)"),
            lambda: run("DELETE FROM seconds_of_a_write"),
        )
        database.close()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[FailingDatabase]:
    """SQLite, which somebody else writes all the time."""
    path = folder / "feedback.db"
    with contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
        yield FailingDatabase(
            f"sqlite:///{path}",
            lambda: connection.execute("BEGIN IMMEDIATE"),
            lambda: connection.execute("ROLLBACK"),
        )


@contextlib.contextmanager
def full(folder: Path) -> Iterator[FailingDatabase]:
    """SQLite on a disk of a few MB, which another file fills."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_FULL_MB}m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    filler = disk / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    try:
        yield FailingDatabase(f"sqlite:///{disk / 'feedback.db'}", fill, filler.unlink)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
