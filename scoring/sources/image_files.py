"""a folder or a glob ──▶ `Source`: its image files, sorted by path."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import pyarrow as pa

from models.errors import DataError
from models.remote.file_systems import open_file_system
from scoring.chunks import Image, Span
from scoring.sources.source import Source
from scoring.sources.storage import is_remote, local_path, naming

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif",
            ".avif", ".heic", ".heif", ".hif")  # fmt: skip
"""Names of images in a folder. Types that the service does not take become rows with an error."""
_WILDCARDS = "*?["

Sized = tuple[str, int]
"""A file's name below the root, and its size in bytes."""


def is_glob(text: str) -> bool:
    """Whether it has a wildcard."""
    return any(sign in text for sign in _WILDCARDS)


def list_folder(folder: str) -> Source:
    """Lists the images of a folder and those below it; hidden files and folders are left out.

    Raises:
        DataError: there is no such folder, or no image in it.
    """
    if is_remote(folder):
        store, root = open_file_system(folder)
        root = root.rstrip("/")
        with naming(folder):
            found = store.find(root, detail=True)
        files = [(path.removeprefix(f"{root}/"), int(each["size"] or 0)) for path, each in found.items()]
        files = [(name, size) for name, size in files if not _is_hidden(name)]
    else:
        root = os.path.abspath(local_path(folder))  # noqa: PTH100 (links stay as they are)
        if not Path(root).is_dir():
            raise DataError(f"{folder}: no such file or folder; name a folder, a table, or a glob in quotes")
        files = list(_walk(root))
    images = [(name, size) for name, size in files if name.lower().endswith(SUFFIXES)]
    others = len(files) - len(images)
    if not images:
        raise DataError(f"{folder} holds no image: {others:,} files, none of them named {', '.join(SUFFIXES[:8])} …")
    notes = (f"{others:,} other files left out",) if others else ()
    return _source(folder, root, images, notes)


def list_glob(pattern: str) -> Source:
    """Lists all files that a glob matches, whatever their names; `**` stands for folders at any depth.

    Raises:
        DataError: no file matches.
    """
    if is_remote(pattern):
        store, path = open_file_system(pattern)
        with naming(pattern):
            found = store.glob(path, detail=True)
        files = [(name, int(each["size"] or 0)) for name, each in found.items() if each["type"] == "file"]
        root = _fixed_part(path)
    else:
        path = os.path.abspath(local_path(pattern))  # noqa: PTH100
        files = [*_sized(glob.glob(path, recursive=True))]  # noqa: PTH207 (patterns from the root)
        root = _fixed_part(path)
    if not files:
        raise DataError(f"no file matches {pattern}")
    return _source(pattern, root, [(name.removeprefix(root.rstrip("/") + "/"), size) for name, size in files], ())


def _source(described: str, root: str, files: list[Sized], notes: tuple[str, ...]) -> Source:
    files.sort()
    digest = hashlib.sha256()
    for name, size in files:
        digest.update(f"{name}\0{size}\n".encode(errors="surrogateescape"))
    prefix = root.rstrip("/") + "/"
    names = [name for name, _ in files]

    def images(span: Span) -> list[Image]:
        return [prefix + name for name in names[slice(*span)]]

    shown = pa.array([name.encode(errors="backslashreplace").decode() for name in names], pa.string())
    return Source(
        described=f"{len(names):,} images in {described}",
        fingerprint=digest.hexdigest(),
        kept=pa.table({"path": shown}),
        images=images,
        notes=notes,
    )


def _walk(root: str) -> Iterator[Sized]:
    """Files below a folder that are not hidden; links are followed, but no folder twice along one path."""
    waiting = [("", frozenset([_identity(Path(root).stat())]))]
    while waiting:
        folder, above = waiting.pop()
        with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118 (a tenth of the time of `Path`)
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                name = f"{folder}/{entry.name}" if folder else entry.name
                try:
                    status = entry.stat()
                    is_folder = entry.is_dir()
                except OSError:  # a broken link: reading it says what is wrong
                    yield name, 0
                    continue
                if not is_folder:
                    yield name, status.st_size
                elif (identity := _identity(status)) not in above:
                    waiting.append((name, above | {identity}))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _sized(paths: Iterable[str]) -> Iterator[Sized]:
    return ((path, Path(path).stat().st_size) for path in paths if Path(path).is_file())


def _fixed_part(pattern: str) -> str:
    """The folders before the first one with a wildcard."""
    parts = PurePosixPath(pattern).parts
    fixed = next(count for count, part in enumerate(parts) if is_glob(part))
    return str(PurePosixPath(*parts[:fixed])) if fixed else ""


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
