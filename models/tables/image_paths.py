"""the cells of the image column ──▶ files in the folder of images."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Sequence
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from models.errors import DataError
from models.tables.file_links import inside, passes_link
from models.text import key

_SHOWN = 5
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = 160  # characters of a path in an error


def find_images(root: Path, cells: Sequence[str | None], lines: Sequence[int], *, follow: bool = True) -> list[Path]:
    """The file of each row.

    Args:
        root: the folder that paths are relative to and must not leave.
        cells: paths with slashes or backslashes, or file URLs; one for each row.
        lines: numbers of the rows.
        follow: whether symbolic links in the folder are followed, wherever they lead.

    Raises:
        DataError: a row names no image, a path leaves the folder, or files do not exist (named).
    """
    root = Path(os.path.abspath(root))  # noqa: PTH100 (links are not resolved)
    known: dict[str, Path] = {}
    missing: dict[str, tuple[Path, int]] = {}
    for cell, line in zip(cells, lines, strict=True):
        if not cell:
            raise DataError(f"row {line} names no image")
        if cell not in known:
            known[cell], is_there = _look_up(root, cell, line, follow=follow)
            if not is_there:
                missing[cell] = known[cell], line
    if missing:
        _refuse(root, missing, sum(cell in missing for cell in cells), len(cells))
    return [known[cell] for cell in cells if cell]


def _look_up(root: Path, cell: str, line: int, *, follow: bool) -> tuple[Path, bool]:
    """The path, and whether it is a file."""
    try:
        path = image_path(root, cell, line, follow=follow)
        return path, path.is_file()
    except (OSError, ValueError) as error:  # longer than the file system's names, a NUL, a host that is no name
        why = error.strerror if isinstance(error, OSError) else error
        raise DataError(
            f"row {line}: {_BRIEF.repr(cell)}, {len(cell):,} characters, is no path of a file: {why}; write images "
            "into files, and name these"
        ) from error


def image_path(root: Path, cell: str, line: int, *, follow: bool = True) -> Path:
    """The path that a cell names; whether there is a file is not looked at.

    Args:
        root: the folder, absolute.
        cell: a path with slashes or backslashes, or a file URL.
        line: number of the row.
        follow: whether symbolic links in the folder are followed.

    Raises:
        DataError: it leaves the folder, or is no path.
    """
    text = _without_url(cell, line)
    if "\\" in text and not (root / text).exists():
        text = text.replace("\\", "/")
    plain = os.path.normpath(text)
    found = inside(Path(text), root) if plain.startswith(("..", "/")) else root / plain
    if found is None:
        raise DataError(
            f"row {line}: {_BRIEF.repr(cell)} leaves the folder of images, {root}; name the folder that has "
            "them all with --images-root"
        )
    if not follow and passes_link(found, root):
        raise DataError(
            f"row {line}: {_BRIEF.repr(cell)} is, or lies behind, a symbolic link, which --no-links forbids"
        )
    return found


def _without_url(cell: str, line: int) -> str:
    """The path of a file URL; other texts as they are."""
    if cell[:5].lower() == "data:":
        raise DataError(f"row {line}: {_BRIEF.repr(cell)} is an image itself; write images into files, and name these")
    scheme, mark, _ = cell.partition("://")
    if not mark or not scheme.isalnum():
        return cell
    url = urlsplit(cell)
    if url.scheme != "file" or url.netloc not in ("", "localhost"):
        raise DataError(
            f"row {line}: {cell[:80]!r} is no file on this machine; download the images and name their paths"
        )
    return unquote(url.path)


def _refuse(root: Path, missing: dict[str, tuple[Path, int]], rows: int, of: int) -> None:
    listed = ", ".join(_shown(cell, path, line) for cell, (path, line) in list(missing.items())[:_SHOWN])
    more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
    advice = "; if paths are relative to another folder, name it with --images-root" if rows == of else ""
    raise DataError(f"{rows:,} of {of:,} images are not in {root}: {listed}{more}{advice}")


def _shown(cell: str, path: Path, line: int) -> str:
    name = _BRIEF.repr(cell)[1:-1] if len(cell) > _BRIEF.maxstring else cell
    if path.is_dir():
        return f"{name} (row {line}; it is a folder)"
    near = _near(path)
    return f"{name} (row {line}; there is {near})" if near else f"{name} (row {line})"


def _near(path: Path) -> str:
    """A file in the same folder whose name differs only in case, Unicode form or extension."""
    try:
        names = sorted(os.listdir(path.parent))  # noqa: PTH208 (names are all that is needed)
    except (OSError, ValueError):
        return ""
    same = [name for name in names if key(name) == key(path.name)]
    stem = key(path.stem)
    return next(iter([*same, *(name for name in names if stem in (key(name), key(PurePath(name).stem)))]), "")
