"""a path or a URL ──▶ where it is: this machine, or an object store that fsspec knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from models.errors import DataError, TandemError
from models.remote.file_systems import without_password


def is_remote(text: str) -> bool:
    """Whether it is a URL of another machine."""
    scheme, mark, _ = text.partition("://")
    return bool(mark) and scheme != "file" and scheme.replace("+", "").isalnum()


def local_path(text: str) -> Path:
    """The path of this machine that a text or a file URL names."""
    return Path(unquote(text.removeprefix("file://")) if text.startswith("file://") else text)


@contextmanager
def naming(url: str) -> Iterator[None]:
    """Says in errors of an object store which URL was asked for.

    Raises:
        DataError: the store cannot be reached, or refuses.
    """
    try:
        yield
    except TandemError:
        raise
    except Exception as error:  # each store raises its own: no bucket, no credentials, no route to it
        raise DataError(without_password(f"{url}: {type(error).__name__}: {error}")) from error


def protocol_of(url: str) -> str:
    """The store of a path or URL, as fsspec names it."""
    return url.partition("://")[0] if is_remote(url) else "file"
