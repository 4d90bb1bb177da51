"""A file of SQLite ──▶ connections to it, as `Database` wants them: a log ahead, one writer, no lock by upgrade."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

LOCK_WAIT_S = 5.0
"""How long a statement waits for another process that writes."""


def identity_of(file: Path | None) -> tuple[int, int] | None:
    """Device and inode; None if there is no such file."""
    if file is None:
        return None
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def log_of(file: Path | None) -> Path | None:
    """The log of writes beside a file; it belongs to the file by its name alone."""
    return None if file is None else file.with_name(f"{file.name}-wal")


def remove_log(file: Path, identity: tuple[int, int] | None) -> None:
    """Removes the log beside a file that took another's place, if it still is the other's, of that identity.

    SQLite would write it into the new file, and so spoil that.
    """
    log = log_of(file)
    if log is None or identity is None or not file.parent.is_dir():
        return
    with _locked(file.parent):  # of several processes, none removes the log that the next one has begun
        if identity_of(log) == identity:
            log.unlink()
            file.with_name(f"{file.name}-shm").unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


_PRAGMAS = (
    "synchronous=NORMAL",
    "wal_autocheckpoint=8000",  # pages, 32 MiB: each is copied once for many commits, a quarter of what recording costs
    "foreign_keys=ON",
    "secure_delete=ON",
    "cache_size=-8000",
)


def set_up(connection: sqlite3.Connection, _: Any) -> None:
    """Sets what SQLite keeps by connection, and its log."""
    connection.isolation_level = None  # transactions begin by `begin`
    _log_ahead(connection)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()
    connection.execute("SELECT count(*) FROM sqlite_master").close()  # opens the log, which is remembered next


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Sets the mode in which readers do not wait for the writer; SQLite itself waits for nobody here."""
    give_up = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def begin(connection: Connection) -> None:
    """Takes the lock to write at once: a reader that begins to write later may be refused it without a wait."""
    reads = connection.get_execution_options().get("tandem_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
