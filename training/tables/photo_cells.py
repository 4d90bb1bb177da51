"""the cells of the image column ──▶ files in the folder of images, of which a cell may name several."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.errors import DataError
from models.tables.image_paths import find_images, image_path
from training.data.file_reading import printable
from training.data.images import Indices

_SIGNS = (";", "|")
"""What may stand between paths."""


class PhotoFiles(NamedTuple):
    """The files of all rows, one row's after the other's."""

    paths: list[Path]
    names: tuple[str, ...]
    """As the table has them, printable."""
    counts: Indices | None
    """How many each row has, int64 `[N]`; None if each has one."""


def find_photos(root: Path, cells: Sequence[str | None], lines: Sequence[int], *, follow: bool = True) -> PhotoFiles:
    """The files that each cell names: one path, a JSON list of paths, or paths with `;` or `|` between them.

    Args:
        root: the folder that paths are relative to and must not leave.
        cells: one for each row.
        lines: numbers of the rows.
        follow: whether symbolic links in the folder are followed, wherever they lead.

    Raises:
        DataError: a row names no image, a path leaves the folder, or files do not exist (named).
    """
    folder = Path(os.path.abspath(root))  # noqa: PTH100 (links are not resolved)
    listed = [_split(folder, cell, line, follow=follow) for cell, line in zip(cells, lines, strict=True)]
    counts = np.array([len(each) for each in listed], np.int64)
    flat = [path for each in listed for path in each]
    paths = find_images(root, flat, np.repeat(lines, counts).tolist(), follow=follow)
    names = tuple(printable(path) for path in flat)
    return PhotoFiles(paths, names, counts if (counts > 1).any() else None)


def _split(folder: Path, cell: str | None, line: int, *, follow: bool) -> Sequence[str | None]:
    """The paths in a cell; the cell itself if it is one, or empty."""
    if not cell:
        return [cell]
    if cell.startswith("[") and (paths := _of_json(cell, line)):
        return paths
    is_one = cell.startswith("data:") or not any(sign in cell for sign in _SIGNS)
    if is_one or _is_file(folder, cell, line, follow=follow):
        return [cell]
    sign = next(sign for sign in _SIGNS if sign in cell)
    return [path.strip() for path in cell.split(sign) if path.strip()] or [cell]


def _of_json(cell: str, line: int) -> list[str]:
    """The texts of a JSON list, those that are null or empty left out; none if the cell is no such list.

    Raises:
        DataError: it has no text.
    """
    try:
        listed = json.loads(cell)
    except ValueError:
        return []
    if not isinstance(listed, list) or not all(each is None or isinstance(each, str) for each in listed):
        return []
    if not (paths := [each.strip() for each in listed if each and each.strip()]):
        raise DataError(f"row {line} names no image")
    return paths


def _is_file(folder: Path, cell: str, line: int, *, follow: bool) -> bool:
    try:
        return image_path(folder, cell, line, follow=follow).is_file()
    except (DataError, OSError, ValueError):
        return False
