"""files ──▶ what was found of each that can be read, and why the others are left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from models.errors import ClientError
from training.progress import progress

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """What was found of the readable ones.

    Attributes:
        positions: of those among the files.
        values: what was found of each.
        skipped: the others, each with the reason.
    """

    positions: list[int]
    values: list[T]
    skipped: tuple[str, ...]


def read_all(files: Sequence[Path], look: Callable[[Path], T]) -> Found[T]:
    """Looks at each file, on all cores; `look` raises ClientError or OSError for one that cannot be read."""
    with ThreadPoolExecutor() as threads:
        looked = list(progress(threads.map(lambda file: _try(look, file), files), "reading", "image", total=len(files)))
    kept = [(position, value) for position, value in enumerate(looked) if not isinstance(value, _Skipped)]
    skipped = tuple(value.reason for value in looked if isinstance(value, _Skipped))
    return Found([position for position, _ in kept], [value for _, value in kept], skipped)


def printable(text: object) -> str:
    """Bytes of file names that are not UTF-8 come as lone surrogates, which no report can hold."""
    return str(text).encode(errors="backslashreplace").decode()


@dataclass(frozen=True)
class _Skipped:
    reason: str


def _try(look: Callable[[Path], T], path: Path) -> T | _Skipped:
    try:
        return look(path)
    except (ClientError, OSError) as error:
        return _Skipped(printable(f"{path}: {error}"))
