"""DIR ──▶ `Tree`: the image files of each class and part of a split, and why other files are not used.

A folder in DIR is a class, and everything below it belongs to it. If all folders in DIR are named like parts of a split
(`train`, `val`, `test` and so on), the classes are the folders in those. Only names and types are checked here; whether
a file can be decoded shows when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.file_reading import NotUsed, one_line
from training.data.folder_walk import ImageFile, Walker, identity_of
from training.data.split_parts import PART_OF
from training.exceptions import DataError

_SHOWN = 5


@dataclass(frozen=True)
class Tree:
    """The contents of DIR.

    Attributes:
        files: of all classes, in the order of their paths.
        not_used: everything else.
        notes: sentences on how names were read.
    """

    files: list[ImageFile]
    not_used: list[NotUsed]
    notes: list[str]


def scan(root: Path, *, follow: bool = True) -> Tree:
    """Scans a folder and everything in it.

    Args:
        root: DIR.
        follow: whether symbolic links below it are followed, wherever they lead. One that leads to a folder above
            itself is not entered, and no folder or file is read twice for one class.

    Raises:
        DataError: it is no folder; some of its folders are called like parts of a split, but the others are not, or
            training images or held-out ones are missing; the name of a class is not UTF-8.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a directory; name one that holds a sub-folder of images for each class")
    real = root.resolve()
    walker = Walker(root, follow, {identity_of(up) for up in (real, *real.parents)})
    folders = walker.folders_of(root)
    parts, notes = _parts(walker, folders)
    for folder in folders:
        part = parts.get(folder.name, "")
        walker.take_all(walker.folders_of(folder) if part else [folder], part)
    files = sorted(walker.files, key=lambda file: file.path)
    return Tree(files, walker.not_used, [*notes, *walker.notes])


def _parts(walker: Walker, folders: Sequence[Path]) -> tuple[dict[str, str], list[str]]:
    """The part that each folder is, empty if they are classes; and sentences on that."""
    parts = {path.name: PART_OF[path.name.casefold()] for path in folders if path.name.casefold() in PART_OF}
    if not parts:
        return {}, []
    root, listed = walker.root, ", ".join(map(one_line, parts))
    others = [path.name for path in folders if path.name not in parts and _try(walker, [path]).files]
    holding = [path.name for path in folders if path.name in parts and _try(walker, []).folders_of(path)]
    if others and len({parts[name] for name in holding}) > 1:
        raise DataError(
            f"{listed} in {root} are called like parts of a split, but {_some(others)} beside them "
            f"{'is' if len(others) == 1 else 'are'} not; move one or the other out of {root}, or rename it"
        )
    if others:
        taken = f"{listed} is taken for a class" if len(parts) == 1 else f"{listed} are taken for classes"
        return {}, [f"{taken}, as {_some(others)} stands beside it"]
    if not holding:
        raise DataError(
            f"{root} holds only {listed}, and no folders of classes in them; put images into "
            f"{one_line(next(iter(parts)))}/<class>/, or rename the folders if they are classes"
        )
    return parts, _split_notes(root, parts)


def _split_notes(root: Path, parts: Mapping[str, str]) -> list[str]:
    found, listed = set(parts.values()), ", ".join(map(one_line, parts))
    if len(parts) == 1:
        name = next(iter(parts))
        raise DataError(
            f"{root} holds nothing but {listed}, which is one part of a split; name {root / name} to have its images "
            "split at random, or add the other parts"
        )
    if "train" not in found or len(found) == 1:
        missing = "train" if "train" not in found else "test or validation"
        raise DataError(f"{root} holds {listed}, which are parts of a split, but no {missing}; add it")
    listed_parts = ", ".join(f"{one_line(name)} is {part}" for name, part in parts.items())
    notes = [f"the folders are parts of a split: {listed_parts}"]
    return (
        notes if "test" in found else [*notes, "there is no test folder, so test images are taken from train at random"]
    )


def _try(walker: Walker, folders: Sequence[Path]) -> Walker:
    """What another walker finds in folders; nothing of it is kept."""
    other = Walker(walker.root, walker.follow, walker.above)
    other.take_all(folders, "")
    return other


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} others" if len(names) > _SHOWN else ""
    return ", ".join(map(one_line, names[:_SHOWN])) + more
