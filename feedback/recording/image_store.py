"""encoded images ──▶ `ImageStore`: files by their SHA-256, in a folder or an object store, each image once."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

from models.errors import StoreError
from models.imaging.decode import read_header
from models.remote.file_systems import check_protocol, is_url
from models.remote.remote_folder import RemoteFolder

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TYPES = ("png", "jpeg", "webp")
_FILE = "file://"


class Folder(Protocol):
    """Files by name."""

    def read(self, name: str) -> bytes | None:
        """The file's bytes; None if there is none."""

    def write(self, files: Mapping[str, bytes]) -> None:
        """Writes files."""

    def delete(self, names: Iterable[str]) -> bool:
        """Deletes those of the files that exist; whether there was one."""


class ImageStore:
    """Images that are kept: `ab/ab12….png` is the one whose SHA-256 begins with ab12.

    Args:
        url: of an object store, as `models.remote` reads it, or the path of a folder, which need not exist.

    Raises:
        StoreError: the URL's protocol is unknown, or its package is not installed.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_remote = is_url(url) and not url.startswith(_FILE)
        if self._is_remote:
            check_protocol(url)

    def open(self, sha256: str) -> bytes | None:
        """Reads an image; None if it is not kept.

        Raises:
            StoreError: not a SHA-256, or the store cannot be read.
        """
        found = (self._folder.read(name) for name in _names(sha256))
        return next((image for image in found if image is not None), None)

    def write(self, images: Mapping[str, bytes]) -> None:
        """Keeps images, by their SHA-256.

        Raises:
            StoreError: the store cannot be written.
        """
        self._folder.write({_name(sha256, read_header(image).type): image for sha256, image in images.items()})

    def delete(self, sha256: str) -> bool:
        """Deletes an image; whether it was kept.

        Raises:
            StoreError: not a SHA-256, or the store cannot be written.
        """
        return self._folder.delete(_names(sha256))

    @cached_property
    def _folder(self) -> Folder:
        return RemoteFolder.at(self._url) if self._is_remote else _DiskFolder(Path(self._url.removeprefix(_FILE)))


class _DiskFolder:
    """A folder on disk, whose files appear whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, name: str) -> bytes | None:
        with _store_errors(self._path / name, "read"):
            try:
                return (self._path / name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            target = f"{self._path}/{name}"
            with _store_errors(target, "written"):
                if not os.path.exists(target):  # noqa: PTH110 (a fifth of the cost)
                    self._write(target, data)

    def _write(self, target: str, data: bytes) -> None:
        staging = f"{target}.{secrets.token_hex(4)}.new"
        try:
            try:
                descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            except FileNotFoundError:
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with open(descriptor, "wb") as file:  # noqa: PTH123 (a descriptor)
                file.write(data)
            os.rename(staging, target)  # noqa: PTH104 (as above)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(staging)  # noqa: PTH108
            raise

    def delete(self, names: Iterable[str]) -> bool:
        found = False
        for name in names:
            with _store_errors(self._path / name, "deleted"), contextlib.suppress(FileNotFoundError):
                (self._path / name).unlink()
                found = True
        return found


@contextlib.contextmanager
def _store_errors(path: object, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be {what} ({error.strerror})") from error


def _names(sha256: str) -> list[str]:
    """The files that an image may be in.

    Raises:
        StoreError: not a SHA-256 in lower case.
    """
    if not _SHA256.fullmatch(sha256):
        raise StoreError(f"{sha256[:80]!r} is no SHA-256 of an image: 64 digits of 0-9 and a-f")
    return [_name(sha256, type_) for type_ in _TYPES]


def _name(sha256: str, type_: str) -> str:
    return f"{sha256[:2]}/{sha256}.{type_}"
