"""OUTPUT, a path or a URL ──▶ a folder in which a file is there as a whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from models.errors import DataError
from models.remote.file_systems import open_file_system
from scoring.sources.storage import is_remote, local_path, naming


class OutputFolder(Protocol):
    """A folder of files without folders in it."""

    def names(self) -> list[str]:
        """The names of its files; empty if it does not exist."""

    def read(self, name: str) -> bytes:
        """The bytes of a file."""

    def write(self, name: str, data: bytes) -> None:
        """Writes a file; nobody sees a part of it."""

    def open(self, name: str) -> Any:
        """A file to be read by pyarrow."""

    def locked(self) -> AbstractContextManager[None]:
        """Keeps other runs out while it lasts, where that can be done.

        Raises:
            DataError: another run writes to it.
        """


class LocalFolder:
    """A folder of this machine: files are written under another name and renamed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """See `OutputFolder`."""
        return sorted(entry.name for entry in self._path.iterdir()) if self._path.is_dir() else []

    def read(self, name: str) -> bytes:
        """See `OutputFolder`."""
        return (self._path / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """See `OutputFolder`."""
        self._path.mkdir(parents=True, exist_ok=True)
        beginning = self._path / f".{name}.{secrets.token_hex(4)}"
        try:
            with beginning.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beginning.replace(self._path / name)
        finally:
            beginning.unlink(missing_ok=True)

    def open(self, name: str) -> Any:
        """See `OutputFolder`."""
        return str(self._path / name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `OutputFolder`; also removes what a killed run has not finished."""
        if self._path.exists() and not self._path.is_dir():
            raise DataError(f"{self._path} is a file; name a folder for the output")
        self._path.mkdir(parents=True, exist_ok=True)
        folder = os.open(self._path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(folder)
            raise DataError(f"another run writes to {self._path}; wait for it, or name another folder") from error
        try:
            for file in self._path.glob(".part-*.parquet.*"):
                file.unlink(missing_ok=True)
            yield
        finally:
            os.close(folder)


class ObjectStoreFolder:
    """A folder of an object store, where one request puts a file as a whole."""

    def __init__(self, url: str) -> None:
        self._store, path = open_file_system(url)
        self._path = path.rstrip("/")
        self._url = url

    def names(self) -> list[str]:
        """See `OutputFolder`."""
        self._store.invalidate_cache()
        with naming(self._url):
            try:
                found = self._store.ls(self._path, detail=False)
            except FileNotFoundError:
                return []
        return sorted(path.rpartition("/")[2] for path in found if path.rstrip("/") != self._path)

    def read(self, name: str) -> bytes:
        """See `OutputFolder`."""
        with naming(self._url):
            return bytes(self._store.cat_file(f"{self._path}/{name}"))

    def write(self, name: str, data: bytes) -> None:
        """See `OutputFolder`."""
        with naming(self._url):
            self._store.pipe_file(f"{self._path}/{name}", data)

    def open(self, name: str) -> Any:
        """See `OutputFolder`."""
        return self._store.open(f"{self._path}/{name}", "rb")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `OutputFolder`; object stores have no locks."""
        yield


def open_folder(output: str) -> LocalFolder | ObjectStoreFolder:
    """The folder of a path or URL; it need not exist.

    Raises:
        DataError: the store is unknown.
    """
    return ObjectStoreFolder(output) if is_remote(output) else LocalFolder(local_path(output))
