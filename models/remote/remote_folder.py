"""URL ──▶ `RemoteFolder`: files of a folder in object storage, on a web server or on a disk, read and written by name.

Nothing is ever listed, so that a plain web server will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import StoreError
from models.remote.file_systems import failed, is_url, open_file_system, without_password

_FORBIDDEN = 403


@dataclass(frozen=True)
class RemoteFolder:
    """A folder at a URL, which need not exist.

    Attributes:
        url: for messages, without a password.
        filesystem: fsspec's.
        path: of the folder, as the file system has it.
    """

    url: str
    filesystem: Any
    path: str

    @classmethod
    def at(cls, url: str) -> RemoteFolder:
        """Finds what can read the URL; a path is a folder on disk.

        Raises:
            StoreError: the protocol is unknown, or its package is not installed.
        """
        shown = without_password(url.rstrip("/"))
        protocol = url.partition("://")[0] if is_url(url) else "file"
        if protocol in ("http", "https") and "?" in url:
            raise StoreError(f"{shown}: has a query, which names one file; give the URL of a folder")
        options = {"auto_mkdir": True} if protocol in ("file", "local") else {}
        filesystem, path = open_file_system(url.rstrip("/"), use_listings_cache=False, **options)
        return cls(shown, filesystem, path.rstrip("/"))

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def __truediv__(self, name: str) -> RemoteFolder:
        return RemoteFolder(f"{self.url}/{name}", self.filesystem, f"{self.path}/{name}")

    def read(self, name: str) -> bytes | None:
        """Reads a file; None if there is none.

        Raises:
            StoreError: it may not be read, or the server or the network fail.
        """
        try:
            content: bytes = self.filesystem.cat_file(f"{self.path}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:
            raise failed(f"{self.url}/{name}", "read", error) from error
        return content

    def read_if_allowed(self, name: str) -> bytes | None:
        """As `read`; None also where that is forbidden: storage says so of missing files to those who may not list.

        Raises:
            StoreError: the server or the network fail.
        """
        try:
            return self.read(name)
        except StoreError as error:
            if isinstance(error.__cause__, PermissionError) or getattr(error.__cause__, "status", 0) == _FORBIDDEN:
                return None
            raise

    def download(self, names: Iterable[str], folder: Path) -> None:
        """Downloads files into a directory, several at once.

        Args:
            names: relative paths that stay inside the directory.
            folder: where to; it exists.

        Raises:
            StoreError: a file is missing, or cannot be read or written.
        """
        names = list(names)
        for parent in {(folder / name).parent for name in names}:
            parent.mkdir(parents=True, exist_ok=True)
        sources = [f"{self.path}/{name}" for name in names]
        try:
            self.filesystem.get(sources, [str(folder / name) for name in names])
        except Exception as error:
            raise failed(self.url, "read", error) from error

    def write(self, files: Mapping[str, bytes]) -> None:
        """Writes files, several at once, in no order.

        Raises:
            StoreError: the URL cannot be written to.
        """
        try:
            self.filesystem.pipe({f"{self.path}/{name}": data for name, data in files.items()})
        except Exception as error:
            raise failed(self.url, "written", error) from error

    def delete(self, names: Iterable[str]) -> bool:
        """Deletes those of the files that exist; whether there was one.

        Raises:
            StoreError: the URL cannot be written to.
        """
        found = False
        for name in names:
            try:
                if self.filesystem.exists(f"{self.path}/{name}"):
                    self.filesystem.rm_file(f"{self.path}/{name}")
                    found = True
            except FileNotFoundError:  # somebody else was quicker
                continue
            except Exception as error:
                raise failed(f"{self.url}/{name}", "deleted", error) from error
        return found
