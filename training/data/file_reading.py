"""files ──▶ what was found of each that can be read, and why the others are left out."""

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
"""Of an image file. A photo of 50 megapixels has at most 150 MB even as an uncompressed BMP; a film is larger."""

_SHOWN = 10
_MORE_THREADS = 4  # than cores, as some wait for the disk
_MOST_AT_ONCE = 32  # files that a thread takes, as handing over a small one takes a third as long as reading it

T = TypeVar("T")


@dataclass(frozen=True)
class NotUsed:
    """A file or folder that is left out.

    Attributes:
        name: as a person finds it, printable.
        reason: one of few, by which they are counted.
        detail: what was wrong with this one; empty where the reason says all.
        count: of files, where it is a folder.
    """

    name: str
    reason: str
    detail: str = ""
    count: int = 1

    def __str__(self) -> str:
        return f"{self.name}: {self.detail or self.reason}"


@dataclass(frozen=True)
class Found(Generic[T]):
    """What was found of the readable ones.

    Attributes:
        positions: of those among the files.
        values: what was found of each.
        not_used: the others.
    """

    positions: list[int]
    values: list[T]
    not_used: tuple[NotUsed, ...]

    @property
    def skipped(self) -> tuple[str, ...]:
        """The others, each with the reason."""
        return tuple(map(str, self.not_used))


def read_all(files: Sequence[Path], look: Callable[[Path], T]) -> Found[T]:
    """Looks at each file, on all cores; `look` raises ClientError or OSError for one that cannot be read."""
    at_once = min(1 + len(files) // 1000, _MOST_AT_ONCE)
    with ThreadPool((os.cpu_count() or 1) + _MORE_THREADS) as threads:
        found = threads.imap(partial(_try, look), files, at_once)
        looked = list(progress(found, "reading", "image", total=len(files)))
    kept = [(position, value) for position, value in enumerate(looked) if not isinstance(value, NotUsed)]
    left_out = tuple(value for value in looked if isinstance(value, NotUsed))
    return Found([position for position, _ in kept], [value for _, value in kept], left_out)


def check_file(path: Path) -> None:
    """Refuses, before anything is read, what is no ordinary file or too large for an image.

    Raises:
        TooLarge: it has more than `MAX_FILE_BYTES`.
        OSError: it is not there, or it is a folder, a pipe, a socket or a device.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"it is {kind_of(status.st_mode)} and no file")
    if status.st_size > MAX_FILE_BYTES:
        raise TooLarge(f"it has {status.st_size:,} bytes; an image file may have {MAX_FILE_BYTES:,}")


def kind_of(mode: int) -> str:
    """What lies under a name that is no ordinary file, by its mode."""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def counted(not_used: Iterable[NotUsed]) -> dict[str, int]:
    """How many files are left out for each reason, the most frequent first."""
    counts: Counter[str] = Counter()
    for each in not_used:
        counts[each.reason] += each.count
    return dict(_by_frequency(counts))


def extensions(not_used: Iterable[NotUsed]) -> Iterator[str]:
    """Which extensions the files have that are left out for them."""
    counts = Counter(Path(each.name).suffix.lower() or "none" for each in not_used if each.reason == "extension")
    if counts:
        listed = ", ".join(f"{count:,} {one_line(suffix)}" for suffix, count in _by_frequency(counts)[:_SHOWN])
        more = f" and {len(counts) - _SHOWN} others" if len(counts) > _SHOWN else ""
        yield f"extensions of files that are not read: {listed}{more}"


def printable(text: object) -> str:
    """Bytes of file names that are not UTF-8 come as lone surrogates, which no report can hold."""
    return str(text).encode(errors="backslashreplace").decode()


def one_line(text: object) -> str:
    """Printable text in which line breaks, tabs and other control characters are escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in printable(text))


def _by_frequency(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _try(look: Callable[[Path], T], path: Path) -> T | NotUsed:
    try:
        return look(path)
    except (ClientError, OSError) as error:
        return NotUsed(printable(path), _reason(path, error), printable(error))


def _reason(path: Path, error: ClientError | OSError) -> str:
    if isinstance(error, OSError):
        return "broken link" if path.is_symlink() and not path.exists() else "unreadable"
    return {TooLarge: "too large", UnsupportedType: "unsupported type"}.get(type(error), "damaged")
