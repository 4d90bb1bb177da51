"""a path from a table, and the folder of images ──▶ the file in that folder, behind symbolic links or not."""

from __future__ import annotations

import os
from pathlib import Path


def inside(path: Path, root: Path) -> Path | None:
    """The path without `.` and `..`, if it is written as one below `root`; None if it leaves the folder.

    Only names count: a symbolic link below `root` belongs to it wherever it leads. Only the real path of `root` is
    looked up on disk, for absolute paths that contain it.

    Args:
        path: absolute, or relative to `root`.
        root: a folder; it may be a symbolic link itself.
    """
    written = Path(os.path.abspath(root))  # noqa: PTH100 (Path has nothing that removes `..` by name)
    plain = Path(os.path.normpath(written / path))
    for folder in (written, root.resolve()):
        if plain.is_relative_to(folder):
            return written / plain.relative_to(folder)
    return None


def passes_link(path: Path, root: Path) -> bool:
    """Whether a path from `inside` is a symbolic link, or lies behind one, below `root`."""
    below = path.relative_to(Path(os.path.abspath(root)))  # noqa: PTH100
    steps = [*reversed(below.parents), below]
    return any((root / step).is_symlink() for step in steps[1:])
