"""paths of images ──▶ their bytes, from this machine's disks or an object store."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from scoring.chunks import Failed, Image

MAX_FILE_BYTES = 256 * 1024 * 1024
"""Larger files are refused: an image of the pixels that are decoded has fewer bytes."""
_FETCHED_AT_ONCE = 32
"""Files that one process fetches from an object store at the same time."""

Found = bytes | Failed


class Reader(Protocol):
    """Reads the images of a chunk."""

    def read(self, images: Sequence[Image]) -> Iterator[Found]:
        """The bytes of each image, or why there are none."""


class LocalReader:
    """Reads files of this machine."""

    def read(self, images: Sequence[Image]) -> Iterator[Found]:
        """See `Reader`."""
        return (_read(image) if isinstance(image, str) else image for image in images)


class RemoteReader:
    """Fetches files from an object store, the next ones while the ones before are scored.

    Args:
        protocol: as fsspec names the store, such as `s3`.
    """

    def __init__(self, protocol: str) -> None:
        import fsspec  # noqa: PLC0415 (takes a tenth of a second, and local files need none)

        self._store = fsspec.filesystem(protocol)
        self._fetching = ThreadPoolExecutor(1, thread_name_prefix="fetch")

    def read(self, images: Sequence[Image]) -> Iterator[Found]:
        """See `Reader`."""
        groups = [images[start : start + _FETCHED_AT_ONCE] for start in range(0, len(images), _FETCHED_AT_ONCE)]
        coming = self._fetching.submit(self._fetch, groups[0]) if groups else None
        for following in [*groups[1:], None]:
            assert coming is not None
            found = coming.result()
            coming = None if following is None else self._fetching.submit(self._fetch, following)
            yield from found

    def _fetch(self, images: Sequence[Image]) -> list[Found]:
        paths = sorted({image for image in images if isinstance(image, str)})
        # `cat` would ask for each file whether it is there
        bodies = self._store.cat_ranges(paths, None, None, on_error="return") if paths else []
        fetched = dict(zip(paths, bodies, strict=True))
        return [_fetched(image, fetched[image]) if isinstance(image, str) else image for image in images]


def open_reader(protocol: str) -> Reader:
    """A reader of the files of `file`, which is this machine, or of an object store."""
    return LocalReader() if protocol == "file" else RemoteReader(protocol)


def _open(path: str, flags: int) -> int:
    """Opens without waiting, as a pipe would for whoever writes into it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _read(path: str) -> Found:
    try:
        with open(path, "rb", buffering=0, opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return Failed("unreadable", "it is no file, but a folder, a pipe or a device")
            if status.st_size <= MAX_FILE_BYTES:
                return file.read()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return Failed("unreadable", f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
    return Failed("too_large", f"the file has more than {MAX_FILE_BYTES} bytes, which is the limit")


def _fetched(path: str, found: bytes | Exception) -> Found:
    if isinstance(found, bytes):
        return found
    why = "no such file" if isinstance(found, FileNotFoundError) else f"{type(found).__name__} {found}"
    return Failed("unreadable", f"{path} cannot be read: {why}")
