"""files ──▶ what was read of each, and why others are left out."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Generic, TypeVar

from models.errors import ClientError, TooLarge, UnsupportedType
from training.progress import progress

MAX_FILE_BYTES = 256 * 1024 * 1024
"""The limit of an image file. A photo of 50 megapixels has at most 150 MB even as an uncompressed BMP."""

_SHOWN = 10
_MORE_THREADS = 4  # more threads than cores, as some wait for the disk
_MOST_AT_ONCE = 32  # files that a thread takes at once: passing on a small file takes a third as long as reading it

T = TypeVar("T")


@dataclass(frozen=True)
class NotUsed:
    """A file or folder that is left out.

    Attributes:
        name: printable path.
        reason: one of a few, which files are counted by.
        detail: what is wrong with this one; empty if the reason says it all.
        count: the number of files, if it is a folder.
    """

    name: str
    reason: str
    detail: str = ""
    count: int = 1

    def __str__(self) -> str:
        return f"{self.name}: {self.detail or self.reason}"


@dataclass(frozen=True)
class Found(Generic[T]):
    """What was read.

    Attributes:
        positions: of the readable files among all files.
        values: what was read of each.
        not_used: the other files.
    """

    positions: list[int]
    values: list[T]
    not_used: tuple[NotUsed, ...]

    @property
    def skipped(self) -> tuple[str, ...]:
        """The files that are left out, each with the reason."""
        return tuple(map(str, self.not_used))


def read_all(files: Sequence[Path], read: Callable[[Path], T]) -> Found[T]:
    """Reads each file, on all cores; `read` raises ClientError or OSError for one that cannot be read."""
    at_once = min(1 + len(files) // 1000, _MOST_AT_ONCE)
    with ThreadPool((os.cpu_count() or 1) + _MORE_THREADS) as threads:
        found = threads.imap(partial(_try, read), files, at_once)
        values = list(progress(found, "reading", "image", total=len(files)))
    kept = [(position, value) for position, value in enumerate(values) if not isinstance(value, NotUsed)]
    left_out = tuple(value for value in values if isinstance(value, NotUsed))
    return Found([position for position, _ in kept], [value for _, value in kept], left_out)


def check_file(path: Path) -> None:
    """Refuses, before reading it, what is not a regular file or is too large for an image.

    Raises:
        TooLarge: it has more than `MAX_FILE_BYTES`.
        OSError: it does not exist, or it is a folder, a pipe, a socket or a device.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"it is {kind_of(status.st_mode)} and no file")
    if status.st_size > MAX_FILE_BYTES:
        raise TooLarge(f"it has {status.st_size:,} bytes; an image file may have {MAX_FILE_BYTES:,}")


def kind_of(mode: int) -> str:
    """What a path that is no regular file is, by its mode."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def counted(not_used: Iterable[NotUsed]) -> dict[str, int]:
    """How many files are left out for each reason, the most frequent first."""
    counts: Counter[str] = Counter()
    for each in not_used:
        counts[each.reason] += each.count
    return dict(_by_frequency(counts))


def extensions(not_used: Iterable[NotUsed]) -> Iterator[str]:
    """A sentence on the extensions that are not read."""
    counts = Counter(Path(each.name).suffix.lower() or "none" for each in not_used if each.reason == "extension")
    if counts:
        listed = ", ".join(f"{count:,} {one_line(suffix)}" for suffix, count in _by_frequency(counts)[:_SHOWN])
        more = f" and {len(counts) - _SHOWN} others" if len(counts) > _SHOWN else ""
        yield f"extensions of files that are not read: {listed}{more}"


def printable(text: object) -> str:
    """Text with lone surrogates (bytes of file names that are not UTF-8) escaped, as no report can hold them."""
    return str(text).encode(errors="backslashreplace").decode()


def one_line(text: object) -> str:
    """Printable text with line breaks, tabs and other control characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in printable(text))


def _by_frequency(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _try(read: Callable[[Path], T], path: Path) -> T | NotUsed:
    try:
        return read(path)
    except (ClientError, OSError) as error:
        return NotUsed(printable(path), _reason(path, error), printable(error))


def _reason(path: Path, error: ClientError | OSError) -> str:
    if isinstance(error, OSError):
        return "broken link" if path.is_symlink() and not path.exists() else "unreadable"
    return {TooLarge: "too large", UnsupportedType: "unsupported type"}.get(type(error), "damaged")
